"""Runs a verbose command and shows it as one line of output: `run_quietly.py LOG TITLE COMMAND...`.

All that the command prints is added to LOG; on a terminal its last line is shown while it works. Only if it fails is
the end of its output printed. The exit status is the command's.
"""

import shutil
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

TAIL_LINES = 40
# Hints of pip and Terraform that users of this checkout cannot act on.
NOISE = ("WARNING: Location ",)


def show(title: str, line: str) -> None:
    """Draw the running step's line over the last one."""
    width = shutil.get_terminal_size().columns - 1
    print(f"\r\033[K{f'{title} ... {line}'[:width]}", end="", flush=True)


def run(log: Path, title: str, command: list[str]) -> int:
    """Run the command; returns its exit status."""
    started = time.monotonic()
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    on_terminal = sys.stdout.isatty()
    if on_terminal:
        show(title, "")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", buffering=1, encoding="utf-8") as file:  # what is killed leaves its last line, too
        file.write(f"\n$ {' '.join(command)}\n")
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                file.write(line)
                if line.strip() and not line.startswith(NOISE):
                    tail.append(line.rstrip())
                    if on_terminal:
                        show(title, line.strip())
    print("\r\033[K" if on_terminal else "", end="")
    seconds = time.monotonic() - started
    if process.returncode:
        print(f"{title}: failed after {seconds:.1f} s", file=sys.stderr)
        print("\n".join(f"    {line}" for line in tail), f"    (all of it: {log})", sep="\n", file=sys.stderr)
    else:
        print(f"{title}: done ({seconds:.1f} s)", flush=True)
    return process.returncode


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit status."""
    if len(arguments) < 3:  # noqa: PLR2004 - the three words of the usage line
        print("usage: run_quietly.py LOG TITLE COMMAND...", file=sys.stderr)
        return 2
    log, title, *command = arguments
    try:
        return run(Path(log), title, command)
    except FileNotFoundError:
        print(f"{title}: there is no command {command[0]}", file=sys.stderr)
        return 127
    except KeyboardInterrupt:
        print(f"\n{title}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
