"""``make fuzz SECONDS=``: all libraries in C side by side, with another seed each time; ``SEED`` repeats one."""

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.sanitizers import SOURCES as FUZZED
from tests.fuzz.sanitizers import compile_libraries, find_compiler, start_sanitized


def main() -> int:
    """Return the exit status."""
    compiler = find_compiler()
    if compiler is None:
        print("fuzz: skipped: no gcc with AddressSanitizer")
        return 0
    seed = os.environ.get("SEED") or str(time.time_ns() % 2**31)
    with TemporaryDirectory() as folder:
        compile_libraries(compiler, Path(folder))
        module = ["-m", "tests.fuzz.fuzz_libraries"]
        limits = ["0", os.environ.get("SECONDS") or "60", seed]
        running = [start_sanitized(compiler, Path(folder), [*module, what, *limits]) for what in FUZZED]
        for process in running:
            print(process.communicate()[0], end="")
    return int(any(process.returncode for process in running))


if __name__ == "__main__":
    sys.exit(main())
