"""The offline stack's pieces that need no emulator."""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from offline import clickhouse_front, virtualenv
from offline.ministack import check_data_port, check_same, find_running, is_healthy, make_environment
from offline.paths import Paths, StackError, read_paths
from offline.processes import find_listener, identify, stop_group
from offline.records import Running
from offline.servers import check_port_free
from offline.virtualenv import check_python, ensure_clickhouse_venv, ensure_venv

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "requirements.txt").write_text("thing==1\n")
    return Paths(tmp_path / ".local", tmp_path / ".local/venv", tmp_path / "requirements.txt")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_port_is_read_from_the_environment(tmp_path: Path) -> None:
    assert read_paths(tmp_path, {}).port == 4566
    assert read_paths(tmp_path, {"SLUICE_PORT_BASE": "4600"}).address == "http://127.0.0.1:4600"


@pytest.mark.parametrize("text", ["x", "0", "65533", "65534", "65535", "65536", "-1", "45 66"])
def test_no_port_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(StackError, match="expected a port number"):
        read_paths(tmp_path, {"SLUICE_PORT_BASE": text})


def test_other_servers_have_the_next_ports(tmp_path: Path) -> None:
    paths = read_paths(tmp_path, {"SLUICE_PORT_BASE": "65532"})
    assert paths.samples_address == "http://127.0.0.1:65533"
    assert paths.clickhouse_address == "http://127.0.0.1:65534"
    assert paths.datasets_address == "http://127.0.0.1:65535"


def test_other_python_is_refused_with_how_to_get_a_new_one() -> None:
    check_python((3, 13))
    with pytest.raises(StackError, match=r"Python 3\.13 is needed, this is 3\.12.*brew install python@3\.13"):
        check_python((3, 12))


def test_linked_virtual_environment_of_others_is_left_alone(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `venv --clear` empties the folder that a link leads to.
    others = tmp_path / "others"
    others.mkdir()
    (others / "precious").touch()
    paths.venv.parent.mkdir()
    paths.venv.symlink_to(others)
    commands: list[list[str]] = []

    def fake_run(command: list[str], _failure: str) -> None:
        assert not paths.venv.is_symlink()
        paths.venv.mkdir(exist_ok=True)
        commands.append(command)

    monkeypatch.setattr(virtualenv, "_run", fake_run)
    ensure_venv(paths)
    assert (others / "precious").exists()
    assert len(commands) == 2


def test_virtual_environment_is_kept_until_its_requirements_change(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    (paths.venv / "bin").mkdir(parents=True)
    (paths.venv / "bin/python").touch()
    content = paths.requirements.read_bytes() + sys.version.encode()
    (paths.venv / "installed").write_text(hashlib.sha256(content).hexdigest())
    commands: list[list[str]] = []
    monkeypatch.setattr(virtualenv, "_run", lambda command, _failure: commands.append(command))
    ensure_venv(paths)
    assert commands == []
    paths.requirements.write_text("thing==2\n")
    ensure_venv(paths)
    assert len(commands) == 2


def test_clickhouse_is_installed_apart_from_the_emulator_and_without_what_it_does_not_need(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.clickhouse_requirements.write_text("engine==1\n")
    commands: list[list[str]] = []

    def fake_run(command: list[str], _failure: str) -> None:
        paths.clickhouse_venv.mkdir(parents=True, exist_ok=True)
        commands.append(command)

    monkeypatch.setattr(virtualenv, "_run", fake_run)
    python = ensure_clickhouse_venv(paths)
    assert paths.clickhouse_venv != paths.venv
    assert python == paths.clickhouse_venv / "bin" / "python"
    assert commands[1][0] == str(python)
    assert {"--no-deps", str(paths.clickhouse_requirements)} <= set(commands[1])
    assert clickhouse_front.is_installed(paths)


def test_clickhouse_that_cannot_be_installed_is_done_without(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_command: list[str], _failure: str) -> None:
        raise StackError("cannot install: no matching distribution")

    paths.clickhouse_requirements.write_text("engine==1\n")
    monkeypatch.setattr(virtualenv, "_run", refuse)
    assert clickhouse_front.find_python(paths) is None
    assert not clickhouse_front.is_installed(paths)
    assert "going on without it (the xAPI ETL needs one): cannot install: no matching" in capsys.readouterr().out


def test_emulator_inherits_no_credentials(paths: Paths) -> None:
    mine = {"PATH": "/bin", "AWS_PROFILE": "prod", "AWS_ACCESS_KEY_ID": "real", "PYTHONPATH": "x", "AUTH": "true"}
    made = make_environment(paths, mine)
    assert made["PATH"] == "/bin"
    assert made["AUTH"] == "true"
    assert made["AWS_CONFIG_FILE"] == os.devnull
    assert not {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "PYTHONPATH"} & made.keys()


def test_process_is_stopped_with_what_it_started() -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout
        child = int(leader.stdout.readline())
        identity = identify(leader.pid)
        assert identity
        assert stop_group(leader.pid, identity, grace_seconds=5)
        assert identify(leader.pid) is None
        _wait_until_gone(child)


def test_process_that_ignores_the_request_is_killed() -> None:
    script = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout
        process.stdout.readline()
        assert stop_group(process.pid, identify(process.pid) or "", grace_seconds=0.2)
        assert identify(process.pid) is None, "its port may still be taken"


def test_process_of_somebody_else_with_our_pid_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    assert not stop_group(sleeper.pid, "12345 ministack", grace_seconds=1)
    assert sleeper.poll() is None


def test_run_file_of_a_process_that_is_gone_is_ignored(paths: Paths, sleeper: subprocess.Popen[bytes]) -> None:
    paths.run_file.parent.mkdir(parents=True)
    paths.run_file.write_text(f'{{"pid": {sleeper.pid}, "identity": "1 x", "port": 4566, "told": {{}}}}')
    assert find_running(paths) is None
    paths.run_file.write_text("half a fi")
    assert find_running(paths) is None


@pytest.mark.parametrize(
    ("running", "environment", "problem"),
    [
        (Running(1, "x", 4999, {"auth": "false"}), {}, "runs on port 4999, not 4566"),
        (Running(1, "x", 4566, {"auth": "false"}), {"AUTH": "true"}, "runs without IAM enforcement"),
        (Running(1, "x", 4566, {"auth": "true"}), {}, "runs with IAM enforcement"),
    ],
)
def test_other_settings_than_the_running_ones_are_refused(
    paths: Paths, running: Running, environment: dict[str, str], problem: str
) -> None:
    with pytest.raises(StackError, match=problem):
        check_same(running, paths, environment)
    check_same(Running(1, "x", 4566, {"auth": "false"}), paths, {})


def test_taken_port_names_the_program_that_has_it(paths: Paths) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port} is taken \(PID {os.getpid()}: .*SLUICE_PORT_BASE"):
            check_port_free(port)
    check_port_free(port)
    assert find_listener(port) is None
    assert not is_healthy(Paths(paths.local, paths.venv, paths.requirements, port))


def test_data_kept_for_another_port_is_refused(paths: Paths) -> None:
    check_data_port(paths)
    paths.data.mkdir(parents=True)
    (paths.data / "port").write_text("4566")
    check_data_port(paths)
    moved = Paths(paths.local, paths.venv, paths.requirements, 4600)
    with pytest.raises(StackError, match=r"belongs to port 4566, not 4600.*SLUICE_PORT_BASE=4566.*KEEP=0"):
        check_data_port(moved)


def _wait_until_gone(pid: int) -> None:
    for _ in range(100):
        if identify(pid) is None:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")
