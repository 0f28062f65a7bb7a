"""The small scripts behind the Makefile, and the Makefile's own answers."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from show_logs import parse_age
from write_outputs import collect_variables, format_variables, main, read_values

ROOT = Path(__file__).parents[3]
HOSTILE = "a b'c\"d$(touch x)`e`\\\nf"


def run(*command: str, path: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **more} if path is None else {**os.environ, "PATH": path, **more}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def make_program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_outputs_become_plain_json_and_lines_that_a_shell_reads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {
        "api_base": {"value": HOSTILE, "type": "string", "sensitive": False},
        "empty": {"value": ""},
        "list": {"value": ["a"]},
        "none": {"value": None},
    }
    printed = subprocess.run(["printf", "%s", json.dumps(outputs)], capture_output=True, text=True, check=True).stdout
    folder = tmp_path / "local"
    monkeypatch.setattr("sys.stdin", (tmp_path / "in").open("w+"))
    sys.stdin.write(printed)
    sys.stdin.seek(0)
    assert main([str(folder)]) == 0
    assert json.loads((folder / "outputs.json").read_text()) == {
        "api_base": HOSTILE,
        "empty": "",
        "list": ["a"],
        "none": None,
    }
    script = '. "$1"; printf "%s|%s|%s|%s" "$API_BASE" "$EMPTY" "$LIST" "$NONE"'
    read_back = run("sh", "-c", script, "sh", str(folder / "outputs.env"))
    assert read_back.stdout == f'{HOSTILE}||["a"]|'
    sys.stdin.close()


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "No outputs found"])
def test_what_is_no_output_of_terraform_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|Expecting"):
        read_values(text)


OFFLINE = {"aws_endpoint_url": "http://127.0.0.1:4566", "aws_region": "us-east-1", "csv_bucket": "b"}


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_sourced_outputs_are_exported_with_what_tools_need_offline(tmp_path: Path, shell: str) -> None:
    file = tmp_path / "outputs.env"
    file.write_text(format_variables(collect_variables(OFFLINE, "http://127.0.0.1:4567")))

    done = subprocess.run(
        [shell, "-euc", f". {file}; env"], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True
    )

    found = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    assert (
        found.items()
        >= {
            "CSV_BUCKET": "b",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "SAMPLE_FILES_URL": "http://127.0.0.1:4567",
        }.items()
    )


@pytest.mark.parametrize("endpoint", ["", None])
def test_deployment_on_aws_gets_neither_credentials_nor_an_endpoint(endpoint: str | None) -> None:
    variables = collect_variables({**OFFLINE, "aws_endpoint_url": endpoint, "aws_region": "eu-west-1"}, "")

    assert variables == {
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "CSV_BUCKET": "b",
        "SLUICE_OUTPUTS_SOURCED": "yes",
    }


@pytest.mark.parametrize("target", ["tf-init", "tf-plan", "tf-apply", "tf-destroy"])
def test_shell_of_the_offline_stack_does_not_deploy_to_aws(target: str) -> None:
    sourced = {"SLUICE_OUTPUTS_SOURCED": "yes", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}
    done = run("make", "--no-print-directory", target, "ENV=dev", **sourced)
    assert done.returncode != 0
    assert "this shell has sourced the offline stack's" in done.stderr


def test_ages_have_a_unit() -> None:
    assert [parse_age(text) for text in ("90s", "10m", "2h", "1d")] == [90, 600, 7200, 86_400]
    with pytest.raises(Exception, match="is not an age"):
        parse_age("10")


def test_quiet_run_prints_one_line_and_keeps_the_rest(tmp_path: Path) -> None:
    log = tmp_path / "logs/make.log"
    done = run(sys.executable, "scripts/run_quietly.py", str(log), "talking", "echo", "much")
    assert re.fullmatch(r"talking: done \(\d+\.\d s\)\n", done.stdout)
    assert "much" in log.read_text()


def test_quiet_run_shows_what_failed_and_its_status(tmp_path: Path) -> None:
    log = tmp_path / "make.log"
    done = run(sys.executable, "scripts/run_quietly.py", str(log), "failing", "sh", "-c", "echo reason >&2; exit 3")
    assert done.returncode == 3
    assert "failing: failed" in done.stderr
    assert "    reason" in done.stderr


def test_interrupted_quiet_run_says_so_in_a_line(tmp_path: Path) -> None:
    log = tmp_path / "make.log"
    command = [sys.executable, "scripts/run_quietly.py", str(log), "waiting", "sh", "-c", "echo ready; sleep 600"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        for _ in range(1200):
            if log.exists() and "ready\n" in log.read_text().partition("sleep 600")[2]:
                break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "\nwaiting: interrupted\n")


IS_313 = 'case "$2" in *"== (3, 13)"*) echo "$0"; exit 0 ;; esac; exit 1'
"""The output of a Python 3.13 for choose_python.sh."""


def choose_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    nowhere = {name: str(folder) for name in ("HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "HOMEBREW_PREFIX")}
    return run("/bin/sh", "scripts/choose_python.sh", *arguments, path=str(folder / "bin"), **nowhere)


def test_names_that_run_nothing_or_another_python_are_passed_over(tmp_path: Path) -> None:
    make_program(tmp_path / "bin", "python3.13", "exit 127")
    make_program(tmp_path / "bin", "python3", "exit 1")
    make_program(tmp_path / "bin", "python", IS_313)
    assert choose_python(tmp_path).stdout.strip() == str(tmp_path / "bin/python")


@pytest.mark.parametrize("place", ["versions/3.13.9/bin", "cpython-3.13.9-linux/bin", "opt/python@3.13/bin"])
def test_python_that_a_version_manager_hides_is_found(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    make_program(tmp_path / place, "python3.13", IS_313)
    assert choose_python(tmp_path).stdout.strip() == str(tmp_path / place / "python3.13")


def test_active_virtual_environment_is_passed_over_for_its_interpreter() -> None:
    active = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    chosen = run("/bin/sh", "scripts/choose_python.sh", path=active).stdout.strip()
    assert Path(chosen).is_file()
    assert chosen.startswith(sys.base_prefix)


def test_missing_python_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    make_program(tmp_path / "bin", "python3", "exit 1")
    chosen = choose_python(tmp_path)
    assert chosen.returncode == 1
    assert "brew install python@3.13" in chosen.stderr
    assert len(chosen.stderr.splitlines()) <= 6


def test_older_python_will_do_to_say_what_is_missing(tmp_path: Path) -> None:
    make_program(tmp_path / "bin", "python3", 'case "$2" in *">= (3, 8)"*) echo "$0"; exit 0 ;; esac; exit 1')
    assert choose_python(tmp_path).returncode == 1
    assert choose_python(tmp_path, "--any").stdout.strip() == str(tmp_path / "bin/python3")


@pytest.mark.parametrize(
    ("version", "fine"),
    [("Terraform v1.7.0", True), ("OpenTofu v1.10.2", True), ("Terraform v2.0.0", True), ("Terraform v1.6.9", False)],
)
def test_terraform_is_new_enough(tmp_path: Path, version: str, fine: bool) -> None:
    make_program(tmp_path / "bin", "tf", f"echo '{version}'")
    checked = run(sys.executable, "scripts/doctor.py", "terraform", TF=str(tmp_path / "bin/tf"))
    assert (checked.returncode == 0) is fine
    assert (">= 1.7 is needed" in checked.stderr) is not fine


def test_each_missing_tool_is_named(tmp_path: Path) -> None:
    missing = run(sys.executable, "scripts/doctor.py", "curl", "unzip", path=str(tmp_path))
    assert missing.returncode == 1
    assert [
        f"{tool} is not installed: apt-get or brew install {tool}" in missing.stderr for tool in ("curl", "unzip")
    ] == [
        True,
        True,
    ]
    missing = run(sys.executable, "scripts/doctor.py", "terraform", TF="no-such-terraform")
    assert missing.returncode == 1
    assert "no-such-terraform (>= 1.7) is not installed: https://" in missing.stderr


def test_help_is_the_default_and_lists_every_target_of_the_platform() -> None:
    shown = run("make", "--no-print-directory").stdout
    targets = (
        "help setup demo test build layers up down deploy-local tf-init tf-plan tf-apply tf-destroy test-flow "
        "generate-pdfs bulk-upload lint typecheck unit integration e2e logs insights clean"
    )
    assert [name for name in targets.split() if not re.search(rf"^  {name} ", shown, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generate-pdfs"], "COUNT is needed"),
        (["logs"], "SERVICE is needed"),
        (["tf-plan", "ENV=nowhere"], "there is no infra/envs/nowhere.tfvars"),
        (["tf-plan", "ENV=local"], "make up deploy-local"),
    ],
)
def test_wrong_calls_of_make_are_explained(arguments: list[str], said: str) -> None:
    done = run("make", "--no-print-directory", *arguments)
    assert done.returncode != 0
    assert said in done.stderr
