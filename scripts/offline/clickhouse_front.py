"""Starting, finding and stopping ClickHouse: chDB behind ClickHouse's HTTP interface."""

import os
from collections.abc import Mapping
from pathlib import Path

from offline.places import Places, StackError
from offline.records import Running, find_recorded, record, stop_recorded
from offline.servers import answers, check_port_free, launch
from offline.virtualenv import ensure_clickhouse_venv

HEALTH_PATH = "/ping"
# Queries that run have ten seconds to end, and the engine a few to close its tables.
STOP_SECONDS = 20.0
SCRIPTS = Path(__file__).resolve().parents[1]
# It needs nothing of the user's environment; PYTHONPATH above all must not lead it elsewhere.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL")


def find_python(places: Places) -> Path | None:
    """Return the interpreter that has the engine, installing it first; None, and a line why, where that fails."""
    try:
        return ensure_clickhouse_venv(places)
    except StackError as error:
        print(f"offline stack: no ClickHouse here, going on without it (the xAPI ETL needs one): {error}")
        return None


def is_installed(places: Places) -> bool:
    """Tell whether the engine is there, of whatever version."""
    return (places.clickhouse_venv / "installed").is_file()


def find_running(places: Places) -> Running | None:
    """Return the server that this checkout started, if it still runs."""
    return find_recorded(places.clickhouse_run_file)


def is_healthy(places: Places) -> bool:
    """Tell whether the server answers."""
    return answers(places.clickhouse_port, HEALTH_PATH)


def ensure_running(places: Places, python: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Start the server unless it runs and answers; tell whether it had to be started. Raises StackError."""
    running = find_running(places)
    if running and not running.starting and running.port == places.clickhouse_port and is_healthy(places):
        return False
    stop(places)
    check_port_free(places.clickhouse_port)
    port, data = str(places.clickhouse_port), str(places.clickhouse_data)
    pid = launch(
        "ClickHouse",
        [str(python), "-m", "clickhouse", "--port", port, "--data", data],
        places.clickhouse_port,
        HEALTH_PATH,
        environment={name: environment[name] for name in INHERITED if name in environment},
        folder=SCRIPTS,
        log=places.clickhouse_log,
        run_file=places.clickhouse_run_file,
    )
    record(places.clickhouse_run_file, pid, places.clickhouse_port)
    return True


def stop(places: Places) -> bool:
    """Stop the server; tell whether it ran."""
    return stop_recorded(places.clickhouse_run_file, STOP_SECONDS)
