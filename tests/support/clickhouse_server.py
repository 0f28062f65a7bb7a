"""The offline ClickHouse for a test, in a process of its own, see scripts/clickhouse/README.md."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from clickhouse.apply import DEFAULT_DATABASE, DEFAULT_TABLE, apply_schema

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
PYTHON = ROOT / ".local" / "clickhouse-venv" / "bin" / "python"


@dataclass
class ClickHouse:
    """A server that runs, and the process."""

    url: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()


def start_clickhouse(data: Path, *, port: int = 0, user: str = "default", password: str = "") -> ClickHouse:
    """Start a server over a folder; the caller ends it."""
    assert PYTHON.exists(), "the offline ClickHouse is not installed: make setup"
    command = [str(PYTHON), "-m", "clickhouse", "--port", str(port), "--data", str(data), "--user", user, "--faults"]
    process = subprocess.Popen(
        command,
        cwd=SCRIPTS,
        env={"PATH": os.environ["PATH"], "CLICKHOUSE_PASSWORD": password, "TZ": "Asia/Kathmandu"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    # It says where it listens once it answers.
    line = process.stdout.readline()
    process.stdout.close()
    if not line.startswith("clickhouse: http"):
        process.kill()
        process.wait()
        raise RuntimeError(f"the offline ClickHouse did not start: {line}")
    return ClickHouse(line.split()[1].rstrip(","), process)


@contextmanager
def run_clickhouse(
    folder: Path | None = None, *, user: str = "default", password: str = "", schema: bool = False
) -> Iterator[str]:
    """Run the offline ClickHouse on a free port while the block lasts; gives its URL.

    Its data is in `folder`, or in a temporary one. With `schema`, scripts/clickhouse/schema.sql
    is applied: xapi.statements is there.
    """
    with TemporaryDirectory(prefix="clickhouse-") as temporary:
        server = start_clickhouse(folder or Path(temporary), user=user, password=password)
        try:
            if schema:
                headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
                apply_schema(server.url, headers, DEFAULT_DATABASE, DEFAULT_TABLE)
            yield server.url
        finally:
            server.kill()


def query(url: str, text: str, headers: Mapping[str, str] | None = None, **settings: str) -> str:
    """Return what a query answers, without the last line end; raises requests.HTTPError with the server's words."""
    answer = requests.post(url, params=settings, data=text.encode(), headers=headers, timeout=60)
    if not answer.ok:
        raise requests.HTTPError(answer.text, response=answer)
    return answer.text.removesuffix("\n")


def order_fault(url: str, kind: str, **how: float | str) -> None:
    """Order a fault, see scripts/clickhouse/faults.py: `times`, `skip`, `match`, `seconds`, `status`, `code`."""
    requests.put(f"{url}/faults", json={"kind": kind, **how}, timeout=10).raise_for_status()


def count_faults(url: str) -> dict[str, int]:
    """Return how often each kind of fault has happened."""
    happened: dict[str, int] = json.loads(requests.get(f"{url}/faults", timeout=10).text)["happened"]
    return happened


def forget_faults(url: str) -> None:
    """Take all orders back."""
    requests.delete(f"{url}/faults", timeout=10).raise_for_status()
