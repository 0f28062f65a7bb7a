"""Checks of the machine, one for each prerequisite of the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping

from offline.paths import Paths, StackError, read_paths
from offline.records import find_recorded
from offline.servers import check_port_free
from prerequisites.provider import Choice, ProviderError, choose
from prerequisites.requirements import format_version, read_requirement
from prerequisites.terraform import Terraform, TerraformError, find_terraform

PYTHON = (3, 13)
GET_PYTHON = (
    "`pyenv install 3.13`, `apt-get install python3.13 python3.13-venv`, `brew install python@3.13` or "
    "`uv python install 3.13`; make PYTHON=/path/to/python3.13 ... names it"
)
FIRST_SPACE_MB = 3500
"""Disk space of the first `make demo`: installations, builds and data."""
LATER_SPACE_MB = 1500
"""Disk space of a later `make demo`."""
_SECONDS = 5


@dataclass(frozen=True)
class Finding:
    """The result of a check: `text` says what was found, or what is missing and what to do."""

    ok: bool
    text: str


def found(text: str) -> Finding:
    """Return the finding of something that is present."""
    return Finding(ok=True, text=text)


def missing(text: str) -> Finding:
    """Return the finding of something that is missing or unsuitable."""
    return Finding(ok=False, text=text)


class Machine:
    """The machine as the checks see it: the checkout's folder and the environment."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.environment = environment
        self._terraform: Terraform | None = None
        self.choice: Choice | None = None

    def terraform(self) -> Terraform:
        """Return the Terraform program; raises TerraformError."""
        if self._terraform is None:
            constraint = read_requirement(self.root / "infra").terraform
            self._terraform = find_terraform(self.environment.get("TF") or "terraform", constraint, self.environment)
        return self._terraform


def check_python(_: Machine) -> Finding:
    """Check that this is Python 3.13 and can make virtual environments."""
    version = format_version(sys.version_info[:3])
    if sys.version_info[:2] != PYTHON:
        return missing(f"Python 3.13 is needed, {sys.executable} is {version}: {GET_PYTHON}")
    return found(f"{version} ({sys.executable})")


def check_venv(_: Machine) -> Finding:
    """Check that virtual environments can be made, which Debian has in a package of its own."""
    try:
        import ensurepip  # noqa: F401, PLC0415 - what is checked
        import venv  # noqa: F401, PLC0415 - what is checked
    except ImportError:
        return missing(f"{sys.executable} has no venv module: apt-get install python3.13-venv")
    return found("the module that makes virtual environments")


def check_terraform(machine: Machine) -> Finding:
    """Check that Terraform or OpenTofu is installed and new enough."""
    try:
        terraform = machine.terraform()
    except TerraformError as error:
        return missing(str(error))
    return found(f"{terraform.name} {format_version(terraform.version)} ({terraform.program})")


def check_provider(machine: Machine) -> Finding:
    """Check that Terraform can get its provider."""
    try:
        terraform = machine.terraform()
    except TerraformError:
        return missing("cannot be looked for without Terraform")
    try:
        machine.choice = choose(terraform, machine.root, machine.environment)
    except ProviderError as error:
        return missing(str(error))
    package = machine.choice.package
    version = f" {format_version(package.version)}" if package else ""
    return found(f"hashicorp/aws{version} from {machine.choice.origin}")


def check_command(name: str, package: str | None = None) -> Callable[[Machine], Finding]:
    """Return the check of a command, which comes in a package of its name or of another."""
    package = package or name

    def check(machine: Machine) -> Finding:
        path = shutil.which(name, path=machine.environment.get("PATH"))
        return found(path) if path else missing(f"{name} is not installed: apt-get or brew install {package}")

    return check


def check_space(machine: Machine) -> Finding:
    """Check the disk: a pip that runs out of space says so at the end of many lines."""
    installed = [machine.root / ".local" / name / "installed" for name in ("ministack-venv", "clickhouse-venv")]
    usual = LATER_SPACE_MB if all(path.is_file() for path in installed) else FIRST_SPACE_MB
    text = machine.environment.get("SPACE_MB", "")
    free, needed = shutil.disk_usage(machine.root).free // 1_000_000, int(text) if text.isdecimal() else usual
    if free < needed:
        return missing(f"{needed} MB of free disk space are needed in {machine.root}, there are {free} MB")
    return found(f"{free} MB free, {needed} MB needed")


def check_ports(machine: Machine) -> Finding:
    """Check that the offline stack's ports are free, or its own."""
    try:
        places = read_paths(machine.root, machine.environment)
        wanted = range(places.port, places.datasets_port + 1)
        ours = _list_own_ports(places) & set(wanted)
        for port in set(wanted) - ours:
            check_port_free(port)
    except StackError as error:
        return missing(str(error))
    return found(f"{wanted[0]} to {wanted[-1]} {'used by this checkout' if ours else 'free'}")


def _list_own_ports(places: Paths) -> set[int]:
    """Return the ports of this checkout's servers that run, and of its containers."""
    files = (places.run_file, places.samples_run_file, places.clickhouse_run_file, places.datasets_run_file)
    ports = {running.port for running in map(find_recorded, files) if running}
    with suppress(OSError, ValueError):
        first = int((places.run_file.parent / "containers").read_text(encoding="utf-8"))
        ports |= set(range(first, first + len(files)))
    return ports


def check_docker(machine: Machine) -> Finding:
    """Check that Docker is installed with its compose plugin."""
    try:
        done = subprocess.run(
            ["docker", "compose", "version"],
            env=dict(machine.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode:
        return missing("docker with its compose plugin is not installed: https://docs.docker.com/get-docker/")
    return found("docker with its compose plugin")


CHECKS: dict[str, tuple[str, Callable[[Machine], Finding], str]] = {
    "python": ("Python", check_python, ""),
    "venv": ("venv", check_venv, ""),
    "terraform": ("Terraform", check_terraform, ""),
    "provider": ("AWS provider", check_provider, ""),
    "curl": ("curl", check_command("curl"), ""),
    "unzip": ("unzip", check_command("unzip"), ""),
    "space": ("disk space", check_space, ""),
    "ports": ("ports", check_ports, ""),
    "docker": ("Docker", check_docker, "the checks that need it are skipped"),
    "aws": ("AWS CLI", check_command("aws", "awscli"), "the README's `aws` lines need it"),
}
"""Name → what to call it, its check, and what goes without it (empty: nothing does)."""
