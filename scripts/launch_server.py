"""Becomes a server of the offline stack: `launch_server.py RUN_FILE PORT PROGRAM ARGUMENT...`.

First it records its process in RUN_FILE. The parent cannot do this: it may be killed as soon as it has
started a server, and the server would be unknown.
"""

import os
import sys
from pathlib import Path

from offline.records import record_starting


def main(arguments: list[str]) -> None:
    """Record the process, then replace it by the program."""
    run_file, port, *command = arguments
    record_starting(Path(run_file), os.getpid(), int(port))
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
