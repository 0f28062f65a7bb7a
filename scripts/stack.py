"""The offline stack: `python scripts/stack.py up | datasets | down [--forget] | status`.

SLUICE_PORT_BASE (default 4566) is the emulator's port on loopback, the next one the sample file server's, the one
after that ClickHouse's, and one more the dataset server's, which needs to know what is deployed: `datasets` starts it
after an apply. AUTH=true makes the emulator enforce IAM policies.
"""

import argparse
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from clickhouse.apply import DEFAULT_DATABASE, DEFAULT_TABLE, SchemaError, apply_schema
from offline import clickhouse_front, dataset_server, ministack, samples
from offline.paths import Paths, StackError, read_paths
from offline.records import Running
from offline.servers import check_port_free
from offline.virtualenv import ensure_venv

ROOT = Path(__file__).resolve().parents[1]


def install(paths: Paths) -> None:
    """Make the virtual environments of the emulator and of ClickHouse."""
    ensure_venv(paths)
    clickhouse_front.find_python(paths)


def start(paths: Paths) -> None:
    """Start the servers that do not run yet. On failure, stop only those that this call started."""
    running = ministack.find_running(paths)
    if running and running.starting:
        ministack.stop(paths)  # a command was killed that started it: nobody knows how far it came
        running = None
    if running:
        ministack.check_same(running, paths, os.environ)
    else:
        check_port_free(paths.port)  # before minutes go into installing it
    python = ensure_venv(paths)
    clickhouse_python = clickhouse_front.find_python(paths)
    with ExitStack() as started:
        if samples.ensure_running(paths, python):
            started.callback(samples.stop, paths)
        if clickhouse_python:
            if clickhouse_front.ensure_running(paths, clickhouse_python):
                started.callback(clickhouse_front.stop, paths)
            apply_schema(paths.clickhouse_address, {}, DEFAULT_DATABASE, DEFAULT_TABLE)
        _start_emulator(paths, python, running)
        started.pop_all()
    print(f"offline stack: sample files at {paths.samples_address}")
    if clickhouse_python:
        print(f"offline stack: ClickHouse at {paths.clickhouse_address}")
    serve_datasets(paths)


def serve_datasets(paths: Paths) -> None:
    """Start or restart the dataset server for the present deployment, if there is one."""
    if dataset_server.ensure_running(paths):
        print(f"offline stack: datasets at {paths.datasets_address}")


def _start_emulator(paths: Paths, python: Path, running: Running | None) -> None:
    if running:
        if ministack.is_healthy(paths):
            print(f"offline stack: already up at {paths.address}")
            return
        print("offline stack: does not answer, starting it again")
        ministack.stop(paths)
    started = ministack.start(paths, python, os.environ)
    print(f"offline stack: up at {paths.address} (PID {started.pid}, log {paths.log})")


def stop(paths: Paths, *, forget: bool) -> None:
    """Stop the servers; `forget` also deletes the data, Terraform's state and the outputs."""
    servers = (dataset_server, samples, clickhouse_front, ministack)
    stopped = [server.stop(paths) for server in servers]
    print("offline stack: stopped" if any(stopped) else "offline stack: was not running")
    if forget:
        shutil.rmtree(paths.data, ignore_errors=True)
        for pattern in ("terraform/local.tfstate*", "outputs.json", "outputs.env"):
            for path in paths.local.glob(pattern):
                path.unlink()
        print("offline stack: data forgotten")


def show_status(paths: Paths) -> int:
    """Print the state of each server; return 0 if all run and respond."""
    servers: list[tuple[str, Running | None, int, bool]] = [
        ("offline stack", ministack.find_running(paths), paths.port, ministack.is_healthy(paths)),
        ("sample files", samples.find_running(paths), paths.samples_port, samples.is_healthy(paths)),
    ]
    if clickhouse_front.is_installed(paths):
        running_clickhouse, healthy_clickhouse = (
            clickhouse_front.find_running(paths),
            clickhouse_front.is_healthy(paths),
        )
        servers.append(("ClickHouse", running_clickhouse, paths.clickhouse_port, healthy_clickhouse))
    if dataset_server.read_settings(paths):
        running_datasets, healthy_datasets = dataset_server.find_running(paths), dataset_server.is_healthy(paths)
        servers.append(("datasets", running_datasets, paths.datasets_port, healthy_datasets))
    well = True
    for name, running, port, answers in servers:
        healthy = running is not None and running.port == port and answers
        well = well and healthy
        if running is None:
            print(f"{name}: not running")
        else:
            state = "answers" if healthy else "does not answer"
            print(f"{name}: PID {running.pid}, port {running.port}, {state}")
    return 0 if well else 1


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(description="Start, stop or show the offline stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="only make the servers' virtual environments")
    commands.add_parser("up", help="start it; does nothing if it runs")
    commands.add_parser("datasets", help="start the dataset server of what is deployed")
    down = commands.add_parser("down", help="stop it, keeping its data")
    down.add_argument("--forget", action="store_true", help="delete its data, too")
    commands.add_parser("status", help="exit status 0 if it runs and answers")
    chosen = parser.parse_args(arguments)
    try:
        paths = read_paths(ROOT, os.environ)
        if chosen.command == "status":
            return show_status(paths)
        if chosen.command == "install":
            install(paths)
        elif chosen.command == "up":
            start(paths)
        elif chosen.command == "datasets":
            serve_datasets(paths)
        else:
            stop(paths, forget=chosen.forget)
    except (StackError, SchemaError) as error:
        print(f"offline stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("offline stack: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
