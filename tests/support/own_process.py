"""A process of its own for what may kill it: a library in C that touches a byte too much."""

import subprocess
import sys
from pathlib import Path


def count_in_own_process(module: str, function: str) -> int:
    """Return the number that a function of a test module prints; it has to end well, and to say nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", f"from {module} import {function} as do; do()"],
        env={"PYTHONPATH": ":".join(sys.path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return int(done.stdout)
