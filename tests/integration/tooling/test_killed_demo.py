"""`make demo`, killed at a random moment of each of its stages: what is half done is never taken for done.

In a copy of the checkout that has nothing installed, with ports of its own. Takes as long as a first demo and a half.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STAGES = (
    ("", 40),
    ("installing what the scripts need: done", 3),
    ("installing the emulator", 15),
    ("installing ClickHouse", 20),
    ("installing ClickHouse", 45),
    ("offline stack: up at", 20),
    ("building for the offline stack: done", 6),
    ("preparing Terraform: done", 45),
    ("== ZIP jobs ==", 15),
    ("== Data aggregator ==", 30),
)
"""The demo's output at the start of a stage, and the seconds after it within which the demo is killed."""
LONGEST_SECONDS = 1500
"""Far more than a demo takes on a slow machine: one that hangs is a failure, too."""


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """Copy what a clone would have, with the changes of the working tree; its stack is stopped at the end."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a Git checkout: what belongs to it is not known")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    copy = tmp_path / "checkout"
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    yield copy
    subprocess.run(["make", "clean"], cwd=copy, env=make_environment(0), capture_output=True, check=False)
    shutil.rmtree(copy, ignore_errors=True)


def make_environment(port: int) -> dict[str, str]:
    """Return an environment without what a surrounding make or test run says of itself."""
    foreign = ("MAKE", "MFLAGS", "TEST_TIER", "PYTEST", "VIRTUAL_ENV", "PYTHON", "STACK", "AWS_", "AUTH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "SLUICE_PORT_BASE": str(port)} if port else kept


def find_free_ports() -> int:
    """Return the first of four neighbouring ports that are free, below those that systems give to clients."""
    for first in random.sample(range(20_000, 30_000, 10), 100):
        probes = [socket.socket() for _ in range(4)]
        try:
            for offset, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        else:
            return first
        finally:
            for probe in probes:
                probe.close()
    pytest.fail("no four neighbouring ports are free")


def run_demo(checkout: Path, port: int, log: Path, stage: str, delay: float | None) -> int:
    """Run the demo; kill all its processes `delay` seconds after it has printed `stage`. Returns the exit status."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "demo"],
            cwd=checkout,
            env=make_environment(port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline, due = time.monotonic() + LONGEST_SECONDS, None
    while process.poll() is None:
        if due is None and delay is not None and stage in log.read_text(errors="replace"):
            due = time.monotonic() + delay
        if time.monotonic() > min(deadline, due or deadline):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(0.02)
    return process.returncode


@pytest.mark.slow
def test_demo_that_was_killed_at_any_stage_finishes_when_it_is_run_again(checkout: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.randrange(10**6))
    dice, port = random.Random(seed), find_free_ports()
    for number, (stage, longest) in enumerate(STAGES):
        delay, log = dice.uniform(0, longest), tmp_path / f"{number}.log"
        status = run_demo(checkout, port, log, stage, delay)
        print(f"seed {seed}: {delay:.1f} s after {stage or 'the start'!r}: status {status}", flush=True)
        # Where a stage is over sooner or was done before, the demo may have finished; it must not have failed.
        assert status in {-signal.SIGKILL, 0}, f"seed {seed}, run {number}:\n{log.read_text(errors='replace')[-3000:]}"
    log = tmp_path / "last.log"
    status = run_demo(checkout, port, log, "", None)
    text = log.read_text(errors="replace")
    assert status == 0, f"seed {seed}, last run:\n{text[-3000:]}"
    assert "The demo took" in text
