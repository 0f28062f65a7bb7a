"""Runs the server: `python -m sample_files --port 4567`, in the folder scripts/."""

import argparse
import signal
import sys
from types import FrameType

from sample_files.server import SampleServer


def main() -> int:
    """Serve until asked to end; returns the exit status."""
    parser = argparse.ArgumentParser(prog="sample_files", description="Serve sample CSV files.")
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--verbose", action="store_true", help="print a line for each request")
    chosen = parser.parse_args()
    try:
        server = SampleServer(chosen.host, chosen.port, verbose=chosen.verbose)
    except OSError as error:
        print(f"sample files: cannot listen on {chosen.host}:{chosen.port}: {error}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _end)
    print(f"sample files: {server.address}", flush=True)
    try:
        server.serve_forever()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        server.server_close()
    return 0


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
