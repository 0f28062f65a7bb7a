"""The service on a port of its own, and a path to S3 that can be cut."""

import io
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from tests.support.emulator import CREDENTIALS, ROOT

ROWS = 600_000
GROUP = 20_000
"""Rows of a row group: about as much as is read at once."""


def make_transactions() -> pa.Table:
    """Return a table of some 15 MB that compression cannot shorten much, sorted by organisation."""
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "organisation-entity": [f"org-{number * 300 // ROWS:03d}" for number in range(ROWS)],
            "amount": pa.array([(number * 7919) % 1_000_003 / 7 for number in range(ROWS)], pa.float64()),
            "note": [f'{(number * 2654435761) % 2**32:08x} text, "quoted"\nline é' for number in range(ROWS)],
        }
    )


def make_customers() -> pa.Table:
    """Return a small table."""
    return pa.table(
        {
            "name": [f"Customer {number} <script>alert({number})</script>" for number in range(1000)],
            "organisation-entity": [f"org-{number // 100}" for number in range(1000)],
        }
    )


def encode(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=GROUP, compression="snappy")
    return file.getvalue()


@dataclass(frozen=True)
class Cloud:
    """The emulator, with a bucket of datasets and one for exports."""

    url: str

    @property
    def s3(self) -> Any:
        """An S3 client."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        )

    def put(self, name: str, body: bytes) -> None:
        """Write a dataset's object."""
        self.s3.put_object(Bucket="data", Key=f"{name}.parquet", Body=body)


@dataclass
class Server:
    """The service, and what it prints."""

    url: str
    log: Path
    pid: int

    def read_log(self) -> str:
        """Return what was printed so far."""
        return self.log.read_text()


@contextmanager
def run_server(endpoint: str, **variables: str) -> Iterator[Server]:
    """Run ``dataset_download.serve`` while the block lasts, with S3 at ``endpoint``."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": endpoint,
        "PYTHONPATH": str(ROOT / "lambdas"),
        "DATASET_BUCKET": "data",
        "EXPORT_BUCKET": "exports",
        "STREAM_LIMIT_MB": "0",
        **variables,
    }
    command = [sys.executable, "-m", "dataset_download.serve", "--port", "0"]
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout
        first = process.stdout.readline()
        copier = threading.Thread(target=_copy, args=(process.stdout, log), daemon=True)
        copier.start()
        try:
            assert first.startswith("serving on "), first
            yield Server(first.split()[-1], Path(log.name), process.pid)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            copier.join()
            process.stdout.close()


def _copy(source: Any, target: Any) -> None:
    for line in source:
        target.write(line)
        target.flush()


class PathToS3:
    """A TCP proxy in front of the emulator that can be cut, or stopped, after so many bytes towards the client."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._left: float = float("inf")
        self._gate = threading.Event()
        self._gate.set()
        self._lock = threading.Lock()
        self.is_cut = False
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, size: int) -> None:
        """Reset all connections after so many more bytes, and refuse new ones."""
        self._left = size

    def stop_after(self, size: int) -> None:
        """Pass nothing on after so many more bytes, until :meth:`go_on`."""
        self._gate.clear()
        self._left = size

    def go_on(self) -> None:
        """Pass everything on."""
        self._left = float("inf")
        self._gate.set()

    def close(self) -> None:
        """Stop listening."""
        self.go_on()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                client.close()
                continue
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server, suppress(OSError):
            while not self.is_cut:
                ready, _, _ = select.select([client, server], [], [], 0.1)
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is server and not self._lets_pass(len(data)):
                        return
                    (client if source is server else server).sendall(data)

    def _lets_pass(self, size: int) -> bool:
        with self._lock:
            self._left -= size
            is_over = self._left < 0
        if is_over and self._gate.is_set():
            self.is_cut = True
            return False
        if is_over:
            self._gate.wait(60)
        return True
