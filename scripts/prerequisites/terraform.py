"""The Terraform program: its path, version and platform."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Mapping

from prerequisites.requirements import (
    OPENTOFU_REGISTRY,
    PROVIDER,
    TERRAFORM_REGISTRY,
    Version,
    format_version,
    parse_version,
    satisfies,
)

INSTALL = "https://developer.hashicorp.com/terraform/install"
INSTALL_TOFU = "https://opentofu.org/docs/intro/install"
_SECONDS = 10
_TEXT_VERSION = re.compile(r"^(?:Terraform|OpenTofu) v(\d+\.\d+\.\d+)", re.MULTILINE)


class TerraformError(Exception):
    """No usable Terraform was found; the message says what to do."""


@dataclass(frozen=True)
class Terraform:
    """A Terraform or OpenTofu program."""

    program: str
    version: Version
    platform: str
    tofu: bool

    @property
    def registry(self) -> str:
        """Return the host whose providers `hashicorp/aws` stands for."""
        return OPENTOFU_REGISTRY if self.tofu else TERRAFORM_REGISTRY

    @property
    def address(self) -> str:
        """Return the provider's whole address, as lock files and mirrors have it."""
        return f"{self.registry}/{PROVIDER}"

    @property
    def name(self) -> str:
        """Return what to call it."""
        return "OpenTofu" if self.tofu else "Terraform"


def find_terraform(name: str, constraint: str, environment: Mapping[str, str]) -> Terraform:
    """Return the program of a name; raises TerraformError where it is missing, too old or does not run."""
    program = shutil.which(name, path=environment.get("PATH"))
    if not program:
        raise TerraformError(
            f"{name} ({constraint}) is not installed: {INSTALL}, or OpenTofu ({INSTALL_TOFU}) and `make TF=tofu ...`"
        )
    version, platform, tofu = _ask(program, environment)
    if not satisfies(version, constraint):
        raise TerraformError(
            f"{program} is version {format_version(version)}, {constraint} is needed: "
            f"{INSTALL_TOFU if tofu else INSTALL}"
        )
    return Terraform(program, version, platform, tofu)


def _ask(program: str, environment: Mapping[str, str]) -> tuple[Version, str, bool]:
    # The user's configuration may be broken, which does not matter here.
    answer = _run_version(program, {**environment, "TF_CLI_CONFIG_FILE": os.devnull})
    match = _TEXT_VERSION.search(answer)
    if not match:
        raise TerraformError(f"{program} does not say its version but: {json.dumps(answer.strip()[:100])}; {INSTALL}")
    platform = re.search(r"^on (\w+)$", answer, re.MULTILINE)
    return parse_version(match.group(1)), platform.group(1) if platform else _guess_platform(), "OpenTofu" in answer


def accepts_configuration(terraform: Terraform, environment: Mapping[str, str]) -> bool:
    """Return whether Terraform can read the CLI configuration that it finds by itself."""
    return "Error: " not in _run_version(terraform.program, environment)


def _run_version(program: str, environment: Mapping[str, str]) -> str:
    # Without the check for new versions, which uses the Internet.
    kept = {name: value for name, value in environment.items() if not name.startswith("TF_CLI_ARGS")}
    try:
        return subprocess.run(
            [program, "version"],
            env={**kept, "CHECKPOINT_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TerraformError(f"{program} does not run ({error}): {INSTALL}") from error


def _guess_platform() -> str:
    machine = os.uname().machine.lower()
    return f"{os.uname().sysname.lower()}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"
