"""Runs a command and notes its wall time, processor time and peak memory: `python -I measure.py OUT COMMAND...`.

This is a separate small process: on Linux a child inherits the peak memory of its parent, so that the bench itself
would raise every figure to its own size. The peak is that of the largest process among the command and
the children that it waited for. Nothing but the standard library is imported.
"""

import json
import os
import sys
import time
from pathlib import Path

# ru_maxrss is kibibytes on Linux, bytes on macOS.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def main() -> int:
    """Run; returns the command's exit status."""
    target, *command = sys.argv[1:]
    started = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    found = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "rss_mb": usage.ru_maxrss * _RSS_UNIT / 1e6,
        "status": code,
    }
    Path(target).write_text(json.dumps(found))
    return code if code >= 0 else 1


if __name__ == "__main__":
    sys.exit(main())
