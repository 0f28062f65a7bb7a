"""Records of the running servers, one file each, so that a later command finds and stops exactly that process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from offline.processes import identify, read_start_time, stop_group


@dataclass(frozen=True)
class Running:
    """A server of this checkout that runs."""

    pid: int
    identity: str
    port: int
    told: Mapping[str, str] = field(default_factory=dict)
    """What it has to be started again for, where that has changed."""
    starting: bool = False
    """Whether nobody has seen it answer: the command that started it may have been killed meanwhile."""


def find_recorded(file: Path) -> Running | None:
    """Return the server that a file records, if it still runs."""
    try:
        running = Running(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    identity = identify(running.pid)
    if running.starting and identity is not None and read_start_time(running.pid) == running.identity:
        return Running(running.pid, identity, running.port, running.told, starting=True)
    return running if identity == running.identity else None


def record_starting(file: Path, pid: int, port: int) -> None:
    """Record a server that is about to start.

    By its start time alone: it is another program yet, and an interpreter may replace itself while it starts (macOS's
    does) and change its command.
    """
    _write(file, Running(pid, read_start_time(pid) or "", port, starting=True))


def record(file: Path, pid: int, port: int, told: Mapping[str, str] | None = None) -> Running:
    """Record a server that answers, and return the record."""
    running = Running(pid, identify(pid) or "", port, dict(told or {}))
    _write(file, running)
    return running


def _write(file: Path, running: Running) -> None:
    """Replace a file at once: half of one would tell of no server, and nobody would ever stop that."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".part")
    draft.write_text(json.dumps(asdict(running)))
    draft.replace(file)


def stop_recorded(file: Path, grace_seconds: float) -> bool:
    """Stop the server that a file records, and delete the file; return whether the server ran."""
    running = find_recorded(file)
    stopped = running is not None and stop_group(running.pid, running.identity, grace_seconds=grace_seconds)
    file.unlink(missing_ok=True)
    return stopped
