"""Processes of the bench: servers around a run, and the measured runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "scripts"
_MEASURE = Path(__file__).with_name("measure.py")
_PORT = re.compile(r"(\d+)/?\s*$")
_STOP_SECONDS = 10


class RunError(RuntimeError):
    """A contender or a server failed; the message holds the end of its output."""


@dataclass(frozen=True)
class Measured:
    """One run of a command."""

    seconds: float
    """Wall time of the process."""
    cpu_seconds: float
    rss_mb: float
    """Peak of its largest process, 1,000,000 bytes each."""


@contextmanager
def run_server(*arguments: str) -> Iterator[int]:
    """Run a Python module that prints the port it listens on, while the block lasts; gives the port."""
    paths = os.pathsep.join(map(str, [ROOT, SCRIPTS, ROOT / "lambdas"]))
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
    )
    try:
        if process.stdout is None:
            raise RunError("no output to read the port from")
        match = _PORT.search(process.stdout.readline())
        if match is None:
            raise RunError(f"{arguments[0]} did not start")
        yield int(match[1])
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.communicate()


def measure(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Measured:
    """Run a command to its end; raises RunError if it fails."""
    target = folder / "measured.json"
    target.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(_MEASURE), str(target), *command],
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not target.is_file():
        said = (done.stdout + done.stderr)[-2_000:]
        raise RunError(f"{' '.join(command)[:200]} ended with status {done.returncode}:\n{said}")
    found = json.loads(target.read_text())
    return Measured(found["seconds"], found["cpu_seconds"], found["rss_mb"])
