"""The records of the stack's servers, whichever command is killed when."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from offline.processes import identify, read_start_time
from offline.records import find_recorded, record, record_starting, stop_recorded

SCRIPTS = Path(__file__).parents[4] / "scripts"
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
START = """
import sys
from pathlib import Path
from offline.servers import launch
folder = Path(sys.argv[1])
launch("it", sys.argv[2:], 9, "/", environment={}, folder=folder, log=folder / "log", run_file=folder / "run/it.json")
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPER, start_new_session=True) as process:
        while SLEEPER[-1] not in (identify(process.pid) or ""):  # before exec it is still a copy of this process
            time.sleep(0.01)
        yield process
        process.kill()


def wait_for(file: Path) -> None:
    for _ in range(1200):
        running = find_recorded(file)
        if running and SLEEPER[-1] in running.identity:
            return
        time.sleep(0.05)
    pytest.fail(f"{file} tells of no server")


def test_server_whose_starter_was_killed_is_known_and_can_be_stopped(tmp_path: Path) -> None:
    file = tmp_path / "run/it.json"
    command = [sys.executable, "-c", START, str(tmp_path), *SLEEPER]
    with subprocess.Popen(command, cwd=SCRIPTS, start_new_session=True) as starter:
        wait_for(file)
        os.killpg(starter.pid, signal.SIGKILL)
    left = find_recorded(file)
    assert left is not None
    assert (left.starting, left.port) == (True, 9)
    assert stop_recorded(file, 5)
    assert identify(left.pid) is None
    assert not file.exists()


def test_server_that_answers_is_no_longer_starting(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    file = tmp_path / "it.json"
    record_starting(file, sleeper.pid, 9)
    assert getattr(find_recorded(file), "starting", None) is True
    record(file, sleeper.pid, 9, {"auth": "true"})
    found = find_recorded(file)
    assert found is not None
    assert (found.starting, found.told) == (False, {"auth": "true"})


@pytest.mark.parametrize("starting", [True, False])
def test_another_process_of_the_same_number_is_not_ours(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], starting: bool
) -> None:
    file = tmp_path / "it.json"
    record_starting(file, sleeper.pid, 9) if starting else record(file, sleeper.pid, 9)
    text = file.read_text()
    file.write_text(text.replace(read_start_time(sleeper.pid) or "", "1"))
    assert file.read_text() != text
    assert find_recorded(file) is None
    assert not stop_recorded(file, 5)
    assert sleeper.poll() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": 1}', '{"pid": "x", "identity": "", "port": 1}'])
def test_what_is_no_record_tells_of_no_server(tmp_path: Path, text: str) -> None:
    (tmp_path / "it.json").write_text(text)
    assert find_recorded(tmp_path / "it.json") is None


def test_record_is_replaced_at_once(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    file = tmp_path / "it.json"
    record(file, sleeper.pid, 9)
    before = file.stat().st_ino
    record(file, sleeper.pid, 10)
    assert file.stat().st_ino != before
    assert json.loads(file.read_text())["port"] == 10
    assert list(tmp_path.iterdir()) == [file]
