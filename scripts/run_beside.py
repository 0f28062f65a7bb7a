"""Runs two commands at the same time: `run_beside.py LOG FIRST... -- SECOND...`.

The first one's output is seen as it comes, the second's is kept in LOG and printed when both have ended. The exit
status is 0 if both succeed. An interrupt from the terminal reaches both, and their ends are waited for.
"""

import signal
import subprocess
import sys
from pathlib import Path

SEPARATOR = "--"


def run(log: Path, first: list[str], second: list[str]) -> int:
    """Run both; returns the exit status of the first that failed, in the order they are named, else 0."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output:
        beside = subprocess.Popen(second, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        before = subprocess.Popen(first)
        # Only now, since children inherit what is ignored.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        statuses = [before.wait(), beside.wait()]
    print(log.read_text(encoding="utf-8", errors="replace"), end="", flush=True)
    return next((status for status in statuses if status), 0)


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit status."""
    log, *commands = arguments or [""]
    if SEPARATOR not in commands:
        print("usage: run_beside.py LOG FIRST... -- SECOND...", file=sys.stderr)
        return 2
    middle = commands.index(SEPARATOR)
    return run(Path(log), commands[:middle], commands[middle + 1 :])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
