"""Starting, finding and stopping the sample file server."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from offline.places import Places
from offline.processes import identify, stop_group
from offline.servers import answers, check_port_free, launch

HEALTH_PATH = "/health"
STOP_SECONDS = 5.0
SCRIPTS = Path(__file__).resolve().parents[1]
# It needs nothing of the user's environment; PYTHONPATH above all must not lead it elsewhere.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True)
class Running:
    """A sample file server of this checkout that runs."""

    pid: int
    identity: str
    port: int


def find_running(places: Places) -> Running | None:
    """Return the server that this checkout started, if it still runs."""
    try:
        running = Running(**json.loads(places.samples_run_file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return running if identify(running.pid) == running.identity else None


def is_healthy(places: Places) -> bool:
    """Tell whether the server answers."""
    return answers(places.samples_port, HEALTH_PATH)


def ensure_running(places: Places, python: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Start the server unless it runs and answers; tell whether it had to be started. Raises StackError."""
    running = find_running(places)
    if running and running.port == places.samples_port and is_healthy(places):
        return False
    stop(places)
    check_port_free(places.samples_port)
    pid = launch(
        "the sample file server",
        [str(python), "-m", "sample_files", "--port", str(places.samples_port)],
        places.samples_port,
        HEALTH_PATH,
        environment={name: environment[name] for name in INHERITED if name in environment},
        folder=SCRIPTS,
        log=places.samples_log,
    )
    # Only now: an interpreter may replace itself while it starts (macOS's does) and change its command.
    started = Running(pid, identify(pid) or "", places.samples_port)
    places.samples_run_file.parent.mkdir(parents=True, exist_ok=True)
    places.samples_run_file.write_text(json.dumps(asdict(started)))
    return True


def stop(places: Places) -> bool:
    """Stop the server; tell whether it ran."""
    running = find_running(places)
    stopped = running is not None and stop_group(running.pid, running.identity, grace_seconds=STOP_SECONDS)
    places.samples_run_file.unlink(missing_ok=True)
    return stopped
