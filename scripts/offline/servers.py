"""Functions that the stack's servers share: the check for a free port, the start and its health check, the log."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from offline.paths import StackError
from offline.processes import find_listener

START_SECONDS = 60.0
LOG_TAIL_LINES = 20
LAUNCHER = Path(__file__).resolve().parents[1] / "launch_server.py"


def check_port_free(port: int) -> None:
    """Raise StackError naming the program that has the port."""
    with socket.socket() as probe:
        # As servers do, so that old connections of a server that has just stopped do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            owner = find_listener(port) or "another program"
            raise StackError(
                f"port {port} is taken ({owner}): stop that, or choose four others by SLUICE_PORT_BASE=<first port>"
            ) from error


def answers(port: int, path: str) -> bool:
    """Return whether a server on loopback answers a path with 200."""
    # Not urllib, which would use a proxy from the user's environment.
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def launch(
    name: str,
    command: Sequence[str],
    port: int,
    health_path: str,
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    run_file: Path,
) -> int:
    """Start a server in its own session and wait until it answers; returns its PID.

    `run_file` records it from its first moment on. Raises StackError with the reason and the log's end; nothing is
    left running then.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, str(LAUNCHER), str(run_file), str(port), *command],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(name, process, port, health_path, log)
    except BaseException:
        process.kill()
        process.wait()
        run_file.unlink(missing_ok=True)
        raise
    return process.pid


def _wait_until_healthy(name: str, process: subprocess.Popen[bytes], port: int, health_path: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StackError(f"{name} ended with status {process.returncode}:\n{_tail(log)}")
        if answers(port, health_path):
            return
        time.sleep(0.1)
    raise StackError(f"{name} did not answer within {START_SECONDS:.0f} s:\n{_tail(log)}")


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join(f"    {line}" for line in [*lines, f"(all of it: {log})"])
