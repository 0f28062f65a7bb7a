"""A MiniStack of a test's own, on a free port, with its data in a temporary folder."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from offline import ministack
from offline.paths import Paths

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".local" / "ministack-venv" / "bin" / "python"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
_START_SECONDS = 60


@contextmanager
def run_emulator(folder: Path, *, enforce_iam: bool = False) -> Iterator[str]:
    """Run MiniStack, in the environment that `make up` gives it, while the block lasts; gives its address.

    With `enforce_iam` it enforces IAM policies, as with AUTH=true.
    """
    assert PYTHON.exists(), "the emulator is not installed: make setup"
    paths = Paths(folder, PYTHON.parent.parent, ROOT / "requirements-ministack.txt", _find_free_port())
    paths.temporary.mkdir()
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            ministack.make_command(PYTHON),
            env=ministack.make_environment(paths, os.environ) | {"AUTH": str(enforce_iam).lower()},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(paths, process)
        yield paths.address
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its functions too
        process.wait()


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(paths: Paths, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if ministack.is_healthy(paths):
            return
        time.sleep(0.1)
    raise RuntimeError(f"MiniStack did not start: {paths.local / 'ministack.log'}")
