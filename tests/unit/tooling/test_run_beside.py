"""Two commands at the same time."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "run_beside.py"


def run(log: Path, first: str, second: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(log), "sh", "-c", first, "--", "sh", "-c", second]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_they_run_at_the_same_time_and_the_second_is_printed_last(tmp_path: Path) -> None:
    # Each waits for what the other makes: one after the other they would never end.
    wait = "while test ! -e {0}/{1}; do sleep 0.01; done"
    first = f"echo one; touch {tmp_path}/a; {wait.format(tmp_path, 'b')}; echo two"
    second = f"echo three; touch {tmp_path}/b; {wait.format(tmp_path, 'a')}; echo four >&2"
    done = run(tmp_path / "logs" / "second", first, second)
    assert (done.returncode, done.stdout.split()) == (0, ["one", "two", "three", "four"])


@pytest.mark.parametrize(("first", "second", "status"), [("exit 3", "exit 0", 3), ("exit 0", "exit 4", 4)])
def test_failure_of_either_is_one_of_both(tmp_path: Path, first: str, second: str, status: int) -> None:
    assert run(tmp_path / "log", first, second).returncode == status


def test_usage_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "log", "true"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
