"""Command line of the server: `python -m clickhouse --port 4568 --data DIR`, run in the folder scripts/."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from clickhouse.engine import Engine
from clickhouse.faults import FaultQueue
from clickhouse.request import Credentials
from clickhouse.server import ClickHouseServer

_DRAIN_SECONDS = 10.0


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    chosen = _read_arguments()
    chosen.data.mkdir(parents=True, exist_ok=True)
    try:
        engine = Engine(chosen.data)
    except (RuntimeError, ImportError) as error:
        print(f"clickhouse: cannot open {chosen.data}: {error}", file=sys.stderr)
        return 1
    expected = Credentials(chosen.user, os.environ.get("CLICKHOUSE_PASSWORD", ""))
    try:
        server = ClickHouseServer(chosen.host, chosen.port, engine, expected, FaultQueue() if chosen.faults else None)
    except OSError as error:
        print(f"clickhouse: cannot listen on {chosen.host}:{chosen.port}: {error}", file=sys.stderr)
        engine.close()
        return 1
    # A thread, because an exception could interrupt the server while it accepts a connection.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: threading.Thread(target=server.shutdown).start())
    print(f"clickhouse: {server.address}, ClickHouse {engine.version}", flush=True)
    return _serve(server, engine)


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="clickhouse",
        description="Serve ClickHouse's HTTP interface. The user's password is $CLICKHOUSE_PASSWORD, none by default.",
    )
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 selects a free one")
    parser.add_argument("--data", type=Path, required=True, help="data folder; no other server may use it")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--user", default="default", help="the one user (default)")
    parser.add_argument("--faults", action="store_true", help="let tests inject faults at /faults")
    return parser.parse_args()


def _serve(server: ClickHouseServer, engine: Engine) -> int:
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    drained = server.drain(_DRAIN_SECONDS)
    if drained:
        engine.close()
    # Exit without waiting for threads that wait for clients, or for a query that does not end.
    sys.stdout.flush()
    os._exit(0 if drained else 1)


if __name__ == "__main__":
    sys.exit(main())
