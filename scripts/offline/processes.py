"""Identification and termination of our own processes only, with the standard library alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
LISTENING = "0A"
KILLED_SECONDS = 10.0
START_TIME_FIELD = 19  # of /proc/<pid>/stat, counted after the command's closing parenthesis


def identify(pid: int) -> str | None:
    """Return what distinguishes a process from a later one with the same PID (start time, command), or None."""
    return _identify_by_proc(pid) if sys.platform == "linux" else _identify_by_ps(pid)


def read_start_time(pid: int) -> str | None:
    """Return the start time of a process, which survives exec; None if the process does not exist."""
    return _read_start_time_by_proc(pid) if sys.platform == "linux" else _read_start_time_by_ps(pid)


def _read_start_time_by_proc(pid: int) -> str | None:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[START_TIME_FIELD]
    except OSError:
        return None


def _read_start_time_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None


def _identify_by_proc(pid: int) -> str | None:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None
    # A process loses its command before it becomes a zombie: it has ended, too.
    if fields[0] in {"Z", "X"} or not command:
        return None
    return f"{fields[START_TIME_FIELD]} {command}"


def _identify_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "state=", "-o", "lstart=", "-o", "command=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    state, _, rest = answer.partition(" ")
    return None if not answer or state.startswith("Z") else rest.strip()


def stop_group(pid: int, identity: str, *, grace_seconds: float) -> bool:
    """Terminate a group leader and the rest of its group; return whether it still ran.

    Nothing is signalled unless the PID still belongs to the identified process. It has `grace_seconds` to
    save its state before it is killed; what it started and left behind is killed at once after it.
    """
    if identify(pid) != identity:
        return False
    os.kill(pid, signal.SIGTERM)
    _wait_for_end(pid, identity, grace_seconds)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    # A killed process holds its ports for a moment longer.
    _wait_for_end(pid, identity, KILLED_SECONDS)
    return True


def _wait_for_end(pid: int, identity: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while identify(pid) == identity and time.monotonic() < deadline:
        # Ours to reap if this very process started it; a zombie would stay for ever.
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)


def find_listener(port: int) -> str | None:
    """Name the program that listens on a TCP port, as far as this user may know it."""
    pids = list(_find_by_proc(port) if sys.platform == "linux" else _find_by_lsof(port))
    for pid in pids:
        identity = identify(pid)
        if identity:
            return f"PID {pid}: {identity.partition(' ')[2][:100]}"
    return None


def _find_by_proc(port: int) -> Iterator[int]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            rows = [line.split() for line in (PROC / "net" / table).read_text().splitlines()[1:]]
            inodes |= {row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port}
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for folder in PROC.glob("[0-9]*/fd"):
        with suppress(OSError):
            if any(os.readlink(link) in wanted for link in folder.iterdir()):
                yield int(folder.parent.name)


def _find_by_lsof(port: int) -> Iterator[int]:
    with suppress(FileNotFoundError):
        command = ["lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        yield from map(int, answer.split())
