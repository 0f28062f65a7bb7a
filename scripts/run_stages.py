"""Runs the stages of a check, two at a time, and ends with a table of their times: `run_stages.py PLAN`.

PLAN is a text file. A line `name: command` is a stage; a line `--` waits until all stages above it have ended. Stages
of one block run side by side, at most two at once, in the order in which they stand. What a stage prints is kept in
`.local/logs/<plan>-<name>.log` and shown when it ends. After a failure no further stage begins; those
that run are finished. The last line of a failed run names the stage, its log, and its first failed test or error.

The exit status is 0 if every stage succeeded, 1 if one failed or was not run, 2 for a plan that cannot be read.
"""

import argparse
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
TELLING = re.compile(r"^(.*: error: |Error: |missing: )")
"""Lines that say what is wrong in the output of mypy, Terraform and this project's own scripts."""


@dataclass
class Stage:
    """A command of the plan and its result."""

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
            # `env` finds the command, so that a missing command is an ordinary failure. In its own session the command
            # gets one interrupt, from here: a second one would end pytest before its cleanup.
            self.process = subprocess.Popen(
                ["env", *self.command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
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


def read_plan(path: Path, logs: Path) -> list[list[Stage]]:
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
            blocks[-1].append(Stage(name, shlex.split(command), logs / f"{path.stem}-{name}.log"))
    return [block for block in blocks if block]


def run_block(block: list[Stage]) -> bool:
    """Run one block; return whether all stages succeeded."""
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
    """Return the most useful line of a failed stage's log: pytest's first failure, else the last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for beginning in ("FAILED ", "ERROR "):
        if found := next((line for line in lines if line.startswith(beginning)), None):
            return found
    told = [line for line in lines if TELLING.match(line)]
    return (told[:1] or [line for line in lines if line.strip()][-1:] or ["it printed nothing"])[0].strip()


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
    """Interrupt the running commands and wait for them to end."""
    for stage in stages:
        if stage.process and stage.process.poll() is None:
            os.killpg(stage.process.pid, signal.SIGINT)
    for stage in stages:
        if stage.process:
            stage.process.wait()


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Run the stages of a plan, two at a time.")
    parser.add_argument("plan", type=Path)
    parser.add_argument("--logs", type=Path, default=LOGS, help="folder for what the stages print (.local/logs)")
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        blocks = read_plan(chosen.plan, chosen.logs)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    stages = [stage for block in blocks for stage in block]
    chosen.logs.mkdir(parents=True, exist_ok=True)
    # A shell starts background commands with interrupts ignored, and children would inherit that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        all(run_block(block) for block in blocks)
    except KeyboardInterrupt:
        stop(stages)
    print_table(stages, time.monotonic() - started)
    for stage in (stage for stage in stages if stage.state == "failed"):
        print(f"{stage.name} failed, see {os.path.relpath(stage.log)}: {find_telling_line(stage.log)}", flush=True)
    return 0 if all(stage.state == "passed" for stage in stages) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
