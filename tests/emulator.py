"""A MiniStack of a test's own, on a free port, with its data in a temporary folder."""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXECUTABLE = ROOT / ".local/ministack-venv/bin/ministack"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
_START_SECONDS = 30


@contextmanager
def run_emulator(folder: Path) -> Iterator[str]:
    """Run MiniStack while the block lasts; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen([EXECUTABLE], env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_healthy(address, process)
        yield address
    finally:
        process.kill()
        process.wait()


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_localstack/health", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"MiniStack did not start (`make setup` installs it at {EXECUTABLE})")
