"""Which of the stack's servers run: a file for each says, so that a later command finds and stops just that process."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from offline.processes import identify, stop_group


@dataclass(frozen=True)
class Running:
    """A server of this checkout that runs."""

    pid: int
    identity: str
    port: int
    told: Mapping[str, str] = field(default_factory=dict)
    """What it has to be started again for, where that has changed."""


def find_recorded(file: Path) -> Running | None:
    """Return the server that a file tells of, if it still runs."""
    try:
        running = Running(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return running if identify(running.pid) == running.identity else None


def record(file: Path, pid: int, port: int, told: Mapping[str, str] | None = None) -> Running:
    """Remember a server that answers, and return what is remembered.

    Not earlier: an interpreter may replace itself while it starts (macOS's does) and change its command.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    running = Running(pid, identify(pid) or "", port, dict(told or {}))
    file.write_text(json.dumps(asdict(running)))
    return running


def stop_recorded(file: Path, grace_seconds: float) -> bool:
    """Stop the server that a file tells of, and forget it; tell whether it ran."""
    running = find_recorded(file)
    stopped = running is not None and stop_group(running.pid, running.identity, grace_seconds=grace_seconds)
    file.unlink(missing_ok=True)
    return stopped
