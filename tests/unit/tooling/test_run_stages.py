"""The runner of `make test`: order, what is shown, and what is said last."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "run_stages.py"
PYTHON = sys.executable


def write_plan(folder: Path, *lines: str) -> Path:
    plan = folder / "check.plan"
    plan.write_text("\n".join(lines))
    return plan


def run(folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, str(SCRIPT), "--logs", str(folder / "logs"), str(write_plan(folder, *lines))]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)


def write_down(folder: Path, text: str, seconds: float = 0) -> str:
    """Return a command that waits, then adds a word to a file."""
    return f"sh -c 'sleep {seconds}; echo {text} >>{folder}/order'"


def test_stages_of_a_block_wait_for_the_block_before(tmp_path: Path) -> None:
    done = run(tmp_path, f"a: {write_down(tmp_path, 'first', 0.3)}", "--", f"b: {write_down(tmp_path, 'second')}")
    assert done.returncode == 0
    assert (tmp_path / "order").read_text().split() == ["first", "second"]


def test_two_stages_of_a_block_run_at_the_same_time(tmp_path: Path) -> None:
    meet = "sh -c 'touch {0}/{1}; for i in $(seq 300); do test -e {0}/{2} && exit 0; sleep 0.1; done; exit 1'"
    done = run(tmp_path, f"a: {meet.format(tmp_path, 'a', 'b')}", f"b: {meet.format(tmp_path, 'b', 'a')}")
    assert done.returncode == 0, done.stdout


def test_output_is_shown_whole_and_a_table_of_times_comes_last(tmp_path: Path) -> None:
    done = run(tmp_path, "# a comment", "one: printf 'hello\\n'", "two: true")
    assert "hello" in done.stdout.splitlines()
    table = done.stdout.splitlines()[-4:]
    assert table[0].split() == ["stage", "result", "seconds"]
    assert [re.sub(r"\s+\d+$", "", line).split() for line in table[1:]] == [
        ["one", "passed"],
        ["two", "passed"],
        ["in", "all"],
    ]


def test_failure_stops_what_has_not_begun_and_is_named_last(tmp_path: Path) -> None:
    failing = (
        "bad: sh -c 'echo collecting; echo \"FAILED tests/test_a.py::test_b - assert 1 == 2\"; echo 1 failed; exit 3'"
    )
    done = run(tmp_path, failing, "--", f"late: {write_down(tmp_path, 'late')}")
    assert done.returncode == 1
    assert not (tmp_path / "order").exists()
    last = done.stdout.splitlines()[-1]
    assert last.startswith("bad failed, see ")
    assert last.endswith(": FAILED tests/test_a.py::test_b - assert 1 == 2")
    assert re.search(r"^late +not run$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            "lambdas/a.py:3: error: no\nFound 1 error in 1 file\nmake: *** [Makefile:1: types] Error 1",
            "lambdas/a.py:3: error: no",
        ),
        ("missing: terraform\nmake[1]: *** [Makefile:9: check] Error 1", "missing: terraform"),
        ("words\nlast words\n", "last words"),
        ("", "it printed nothing"),
    ],
)
def test_line_that_tells_most_is_chosen(tmp_path: Path, output: str, told: str) -> None:
    (tmp_path / "output").write_text(output)
    done = run(tmp_path, f"bad: sh -c 'cat {tmp_path}/output; exit 1'")
    assert done.stdout.splitlines()[-1].endswith(f": {told}")


@pytest.mark.parametrize("line", ["no command", "na me: true", ": true"])
def test_line_that_is_no_stage_is_refused(tmp_path: Path, line: str) -> None:
    done = run(tmp_path, line)
    assert done.returncode == 2
    assert "check.plan:1" in done.stderr


def test_command_that_does_not_exist_fails_its_stage(tmp_path: Path) -> None:
    done = run(tmp_path, "bad: no-such-command-here")
    assert done.returncode == 1
    assert "no-such-command-here" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_reaches_the_running_stages_and_waits_for_their_ends(tmp_path: Path, number: int) -> None:
    trap = (
        f"sh -c 'trap \"echo cleaned >{tmp_path}/order; exit 1\" INT; touch {tmp_path}/up; while :; do sleep 0.1; done'"
    )
    command = [
        PYTHON,
        str(SCRIPT),
        "--logs",
        str(tmp_path / "logs"),
        str(write_plan(tmp_path, f"a: {trap}", "--", "b: true")),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for _ in range(600):
        if (tmp_path / "up").exists():
            break
        time.sleep(0.05)
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert (tmp_path / "order").read_text().strip() == "cleaned"
    assert re.search(r"^b +not run$", output, re.MULTILINE)
