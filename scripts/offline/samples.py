"""Starting, finding and stopping the sample file server."""

import os
from collections.abc import Mapping
from pathlib import Path

from offline.places import Places
from offline.records import Running, find_recorded, record, stop_recorded
from offline.servers import answers, check_port_free, launch

HEALTH_PATH = "/health"
STOP_SECONDS = 5.0
SCRIPTS = Path(__file__).resolve().parents[1]
# It needs nothing of the user's environment; PYTHONPATH above all must not lead it elsewhere.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


def find_running(places: Places) -> Running | None:
    """Return the server that this checkout started, if it still runs."""
    return find_recorded(places.samples_run_file)


def is_healthy(places: Places) -> bool:
    """Tell whether the server answers."""
    return answers(places.samples_port, HEALTH_PATH)


def ensure_running(places: Places, python: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Start the server unless it runs and answers; tell whether it had to be started. Raises StackError."""
    running = find_running(places)
    if running and not running.starting and running.port == places.samples_port and is_healthy(places):
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
        run_file=places.samples_run_file,
    )
    record(places.samples_run_file, pid, places.samples_port)
    return True


def stop(places: Places) -> bool:
    """Stop the server; tell whether it ran."""
    return stop_recorded(places.samples_run_file, STOP_SECONDS)
