"""Runs the stages of a check, two at a time, and ends with a table of their times: `run_stages.py PLAN`.

PLAN is a text file. A line `name: command` is a stage; a line `--` waits until all stages above it have ended. Stages
of one block run side by side, at most two at once, in the order in which they stand. What a stage prints is kept in
`.local/logs/<plan>-<name>.log` and shown when it ends. The first failure stops the stages that have not begun; those
that run are finished. The last line of a failed run names the stage, its first failed test or error, and its log.

The exit status is 0 if every stage succeeded, else 1.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".local" / "logs"
AT_ONCE = 2
BARRIER = "--"
POLL_SECONDS = 0.1
STILL_SECONDS = 30
TELLING = re.compile(r"^(FAILED |ERROR |E  +\S|.*: error: |.*\berror\b.*:|make.*\*\*\*|missing: )", re.IGNORECASE)
"""Lines that say what is wrong, in pytest's, mypy's, make's and this project's own output."""


@dataclass
class Stage:
    """One command of the plan and what became of it."""

    name: str
    command: list[str]
    log: Path
    state: str = "not run"
    seconds: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    started: float = field(default=0.0, repr=False)

    def start(self) -> None:
        """Start the command; its output goes to the log."""
        self.started = time.monotonic()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        self.state = "running"
        print(f"{self.name}: started", flush=True)

    def has_ended(self) -> bool:
        """Return whether the command has ended; notes its result and shows its output the first time."""
        status = self.process.poll() if self.process else None
        if status is None:
            return False
        self.seconds = time.monotonic() - self.started
        self.state = "failed" if status else "passed"
        print(f"\n== {self.name}: {self.state} ({self.seconds:.0f} s)", flush=True)
        sys.stdout.write(self.log.read_text(encoding="utf-8", errors="replace"))
        sys.stdout.flush()
        return True


def read_plan(path: Path) -> list[list[Stage]]:
    """Return the stages of a plan in blocks. Raises ValueError for a line that is neither a stage nor a barrier."""
    blocks: list[list[Stage]] = [[]]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if text == BARRIER:
            blocks.append([])
        elif text and not text.startswith("#"):
            name, separator, command = text.partition(": ")
            if not separator or not name.replace("-", "").isalnum():
                raise ValueError(f"{path}:{number}: expected 'name: command' or '{BARRIER}', found {text!r}")
            blocks[-1].append(Stage(name, shlex.split(command), LOGS / f"{path.stem}-{name}.log"))
    return [block for block in blocks if block]


def run_block(block: list[Stage]) -> bool:
    """Run one block; returns whether all of it succeeded."""
    waiting, running, healthy, told = list(block), list[Stage](), True, time.monotonic()
    while running or (waiting and healthy):
        while healthy and waiting and len(running) < AT_ONCE:
            running.append(waiting.pop(0))
            running[-1].start()
        time.sleep(POLL_SECONDS)
        for stage in [stage for stage in running if stage.has_ended()]:
            running.remove(stage)
            healthy = healthy and stage.state == "passed"
            told = time.monotonic()
        if running and time.monotonic() - told > STILL_SECONDS:
            told = time.monotonic()
            print(", ".join(f"{stage.name}: {told - stage.started:.0f} s" for stage in running), flush=True)
    return healthy


def find_telling_line(log: Path) -> str:
    """Return the line of a failed stage's log that says what is wrong: pytest's first failure, else the last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for beginning in ("FAILED ", "ERROR "):
        if found := next((line for line in lines if line.startswith(beginning)), None):
            return found
    told = [line for line in lines if TELLING.match(line) and "***" not in line]
    return (told or [line for line in lines if line.strip()] or ["it printed nothing"])[-1].strip()


def print_table(stages: list[Stage], seconds: float) -> None:
    """Print each stage with its result and time."""
    width = max(len(stage.name) for stage in stages)
    print(f"\n{'stage':<{width}}  result   seconds")
    for stage in stages:
        print(
            f"{stage.name:<{width}}  {stage.state:<7}  {stage.seconds:7.0f}"
            if stage.seconds
            else f"{stage.name:<{width}}  {stage.state}"
        )
    print(f"{'in all':<{width}}           {seconds:7.0f}", flush=True)


def stop(stages: list[Stage]) -> None:
    """Let running commands end after an interrupt, as they would if they had been alone."""
    for stage in stages:
        if stage.process and stage.process.poll() is None:
            stage.process.send_signal(signal.SIGINT)
    for stage in stages:
        if stage.process:
            stage.process.wait()


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit status."""
    if len(arguments) != 1:
        print("usage: run_stages.py PLAN", file=sys.stderr)
        return 2
    started = time.monotonic()
    blocks = read_plan(Path(arguments[0]))
    stages = [stage for block in blocks for stage in block]
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        all(run_block(block) for block in blocks)
    except KeyboardInterrupt:
        stop(stages)
    print_table(stages, time.monotonic() - started)
    failed = [stage for stage in stages if stage.state == "failed"]
    for stage in failed:
        print(
            f"{stage.name} failed: {find_telling_line(stage.log)} (all of it: {os.path.relpath(stage.log)})", flush=True
        )
    return 0 if all(stage.state == "passed" for stage in stages) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
