"""Start, lookup and stop of ClickHouse: chDB behind ClickHouse's HTTP interface."""

import os
from collections.abc import Mapping
from pathlib import Path

from offline.paths import Paths, StackError
from offline.records import Running, find_recorded, record, stop_recorded
from offline.servers import answers, check_port_free, launch
from offline.virtualenv import ensure_clickhouse_venv

HEALTH_PATH = "/ping"
# Running queries get ten seconds to end, and the engine a few to close its tables.
STOP_SECONDS = 20.0
SCRIPTS = Path(__file__).resolve().parents[1]
# The server needs nothing from the user's environment; in particular PYTHONPATH must not redirect its imports.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL")


def find_python(paths: Paths) -> Path | None:
    """Install the engine if needed and return its interpreter; on failure print the reason and return None."""
    try:
        return ensure_clickhouse_venv(paths)
    except StackError as error:
        print(f"offline stack: no ClickHouse here, going on without it (the xAPI ETL needs one): {error}")
        return None


def is_installed(paths: Paths) -> bool:
    """Return whether any version of the engine is installed."""
    return (paths.clickhouse_venv / "installed").is_file()


def find_running(paths: Paths) -> Running | None:
    """Return the server that this checkout started, if it still runs."""
    return find_recorded(paths.clickhouse_run_file)


def is_healthy(paths: Paths) -> bool:
    """Return whether the server answers."""
    return answers(paths.clickhouse_port, HEALTH_PATH)


def ensure_running(paths: Paths, python: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Start the server unless it runs and answers; return whether it had to be started. Raises StackError."""
    running = find_running(paths)
    if running and not running.starting and running.port == paths.clickhouse_port and is_healthy(paths):
        return False
    stop(paths)
    check_port_free(paths.clickhouse_port)
    port, data = str(paths.clickhouse_port), str(paths.clickhouse_data)
    pid = launch(
        "ClickHouse",
        [str(python), "-m", "clickhouse", "--port", port, "--data", data],
        paths.clickhouse_port,
        HEALTH_PATH,
        environment={name: environment[name] for name in INHERITED if name in environment},
        folder=SCRIPTS,
        log=paths.clickhouse_log,
        run_file=paths.clickhouse_run_file,
    )
    record(paths.clickhouse_run_file, pid, paths.clickhouse_port)
    return True


def stop(paths: Paths) -> bool:
    """Stop the server; return whether it ran."""
    return stop_recorded(paths.clickhouse_run_file, STOP_SECONDS)
