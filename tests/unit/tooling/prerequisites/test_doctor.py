"""`make doctor`, and the checks before anything is installed."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import doctor
import run_terraform
from prerequisites import checks
from prerequisites.checks import CHECKS, Machine
from prerequisites.terraform import TerraformError, find_terraform
from tests.unit.tooling.prerequisites.provider_packages import make_unpacked

ROOT = Path(__file__).parents[4]
VERSIONS = (
    'terraform {\n  required_version = ">= 1.7"\n  required_providers {\n    aws = {\n'
    '      source  = "hashicorp/aws"\n      version = "~> 5.100"\n    }\n  }\n}\n'
)


def make_program(path: Path, text: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A checkout with a Terraform, commands and a provider, all in a temporary folder."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra/versions.tf").write_text(VERSIONS)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("curl", "unzip"):
        make_program(tmp_path / "bin" / name, "printf 000; exit 6")
    make_program(tmp_path / "bin/terraform", "echo 'Terraform v1.11.4'; echo 'on linux_amd64'")
    make_unpacked(tmp_path / "disk")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = min(probe.getsockname()[1], 65_000)
    monkeypatch.setattr(checks, "check_port_free", lambda _port: None)
    environment = {
        "PATH": f"{tmp_path}/bin",
        "TF_PROVIDER_SEARCH": str(tmp_path / "disk"),
        "SLUICE_PORT_BASE": str(port),
        "SPACE_MB": "1",
    }
    return Machine(tmp_path, environment)


def test_every_prerequisite_has_a_line(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.show_all(machine) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CHECKS)
    assert [line.split()[0] for line in lines] == ["ok"] * 8 + ["optional"] * 2
    assert f"hashicorp/aws 5.100.0 from {machine.root}/disk/" in lines[3]


@pytest.mark.parametrize(
    ("name", "variables", "said"),
    [
        ("terraform", {"TF": "no-such-terraform"}, "no-such-terraform (>= 1.7) is not installed: https://"),
        ("provider", {"TF_PROVIDER_SEARCH": ""}, "providers mirror -platform=linux_amd64"),
        ("provider", {"TF_PROVIDER_MIRROR": "/nonexistent"}, "/nonexistent is not a folder"),
        ("curl", {"PATH": "/nonexistent"}, "curl is not installed: apt-get or brew install curl"),
        ("space", {"SPACE_MB": "999999999"}, "999999999 MB of free disk space are needed"),
        ("ports", {"SLUICE_PORT_BASE": "http"}, "SLUICE_PORT_BASE is 'http': expected a port number"),
        ("ports", {"SLUICE_PORT_BASE": "65533"}, "expected a port number up to 65532"),
    ],
)
def test_missing_thing_is_named_with_what_to_do(
    machine: Machine, capsys: pytest.CaptureFixture[str], name: str, variables: dict[str, str], said: str
) -> None:
    worse = Machine(machine.root, {**machine.environment, **variables})
    assert doctor.show_missing(worse, [name]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) <= 6
    assert doctor.show_all(Machine(machine.root, {**machine.environment, **variables})) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CHECKS)
    (line,) = [line for line in lines if line.startswith(f"missing   {CHECKS[name][0]} ")]
    assert said in line


def test_optional_thing_is_no_failure_but_named_when_it_is_asked_for(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.show_missing(machine, ["docker"]) == 1
    assert "https://docs.docker.com/get-docker/" in capsys.readouterr().err


def test_origin_is_said_once(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for _ in range(2):
        assert doctor.show_missing(Machine(machine.root, machine.environment), ["provider"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0].startswith(f"Terraform's AWS provider: {machine.root}/disk/")
    assert said[1] == ""


def test_other_python_is_named_with_how_to_get_another(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    finding = checks.check_python(machine)
    assert not finding.ok
    assert "Python 3.13 is needed" in finding.text
    assert "3.12.1: `pyenv install 3.13`" in finding.text


def test_port_of_another_program_is_named_with_it(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        first = min(port, 65_532)
        finding = checks.check_ports(Machine(tmp_path, {"SLUICE_PORT_BASE": str(first)}))
    assert not finding.ok
    assert "is taken (" in finding.text
    assert "SLUICE_PORT_BASE=<first port>" in finding.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 'Terraform v1.6.9'", r"is version 1\.6\.9, >= 1\.7 is needed: https://developer"),
        ("echo 'OpenTofu v1.6.2'", r"is version 1\.6\.2, >= 1\.7 is needed: https://opentofu"),
        ("echo 'no such thing' >&2; exit 3", r'does not say its version but: "no such thing"'),
        ("exit 0", "does not say its version"),
    ],
)
def test_terraform_that_is_none_or_too_old_is_told(tmp_path: Path, text: str, said: str) -> None:
    program = make_program(tmp_path / "bin/tf", text)
    with pytest.raises(TerraformError, match=said):
        find_terraform(program, ">= 1.7", {"PATH": "/usr/bin:/bin"})


def test_opentofu_has_a_registry_of_its_own(tmp_path: Path) -> None:
    program = make_program(tmp_path / "bin/tf", "echo 'OpenTofu v1.10.2'; echo 'on darwin_arm64'")
    tofu = find_terraform(program, ">= 1.7", {"PATH": "/usr/bin:/bin"})
    assert (tofu.address, tofu.platform) == ("registry.opentofu.org/hashicorp/aws", "darwin_arm64")


def run_wrapper(machine: Machine, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return what the wrapper would become: command line and environment."""
    became: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(run_terraform, "ROOT", machine.root)
    monkeypatch.setattr(os, "environ", dict(machine.environment))
    monkeypatch.setattr(os, "execve", lambda _program, command, environment: became.append((command, environment)))
    run_terraform.main(list(arguments))
    return became[0]


def test_terraform_runs_with_the_provider_that_was_found(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    command, environment = run_wrapper(machine, monkeypatch, "-chdir=infra", "plan", "-input=false")
    assert command == [str(machine.root / "bin/terraform"), "-chdir=infra", "plan", "-input=false"]
    assert environment["TF_CLI_CONFIG_FILE"] == str(machine.root / ".local/terraform/cli.tfrc")
    assert environment["CHECKPOINT_DISABLE"] == "1"


def test_formatting_needs_no_provider_and_is_not_told_of_a_missing_configuration(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Machine(
        machine.root, {**machine.environment, "TF_PROVIDER_SEARCH": "", "TF_CLI_CONFIG_FILE": "/nonexistent"}
    )
    _, environment = run_wrapper(other, monkeypatch, "fmt", "-check", "infra")
    assert "TF_CLI_CONFIG_FILE" not in environment


def test_wrapper_without_a_provider_fails_with_the_message(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_terraform, "ROOT", machine.root)
    monkeypatch.setattr(os, "environ", {**machine.environment, "TF_PROVIDER_SEARCH": ""})
    assert run_terraform.main(["init"]) == 1
    assert "providers mirror" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["demo", "doctor", "deploy-local", "tf-init"])
def test_make_says_within_six_lines_that_there_is_no_provider_and_installs_nothing(
    machine: Machine, tmp_path: Path, target: str
) -> None:
    copy = tmp_path / "checkout"
    subprocess.run(
        ["cp", "-R", str(ROOT / "scripts"), str(ROOT / "Makefile"), str(tmp_path / "infra"), str(tmp_path)], check=False
    )
    copy.mkdir()
    for name in ("scripts", "Makefile", "infra"):
        (tmp_path / name).rename(copy / name)
    (copy / "infra/envs").mkdir()
    (copy / "infra/envs/dev.tfvars").touch()
    path = f"{tmp_path}/bin:/usr/bin:/bin"
    environment = {**machine.environment, "PATH": path, "TF_PROVIDER_SEARCH": "", "HOME": str(tmp_path / "home")}
    command = ["make", "--no-print-directory", target, f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert "terraform -chdir=infra providers mirror" in said
    assert not (copy / ".venv").exists()
    if target != "doctor":
        lines = [line for line in said.splitlines() if not line.startswith("make")]
        assert len(lines) <= 6
