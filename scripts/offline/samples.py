"""Start, lookup and stop of the sample file server."""

import os
from collections.abc import Mapping
from pathlib import Path

from offline.paths import Paths
from offline.records import Running, find_recorded, record, stop_recorded
from offline.servers import answers, check_port_free, launch

HEALTH_PATH = "/health"
STOP_SECONDS = 5.0
SCRIPTS = Path(__file__).resolve().parents[1]
# The server needs nothing from the user's environment; in particular PYTHONPATH must not redirect its imports.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


def find_running(paths: Paths) -> Running | None:
    """Return the server that this checkout started, if it still runs."""
    return find_recorded(paths.samples_run_file)


def is_healthy(paths: Paths) -> bool:
    """Return whether the server answers."""
    return answers(paths.samples_port, HEALTH_PATH)


def ensure_running(paths: Paths, python: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Start the server unless it runs and answers; return whether it had to be started. Raises StackError."""
    running = find_running(paths)
    if running and not running.starting and running.port == paths.samples_port and is_healthy(paths):
        return False
    stop(paths)
    check_port_free(paths.samples_port)
    pid = launch(
        "the sample file server",
        [str(python), "-m", "sample_files", "--port", str(paths.samples_port)],
        paths.samples_port,
        HEALTH_PATH,
        environment={name: environment[name] for name in INHERITED if name in environment},
        folder=SCRIPTS,
        log=paths.samples_log,
        run_file=paths.samples_run_file,
    )
    record(paths.samples_run_file, pid, paths.samples_port)
    return True


def stop(paths: Paths) -> bool:
    """Stop the server; return whether it ran."""
    return stop_recorded(paths.samples_run_file, STOP_SECONDS)
