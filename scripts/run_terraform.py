"""Runs Terraform with a provider that this machine has or can get: `run_terraform.py [--pinned] ARGUMENT...`.

TF names the program (terraform). Where the provider comes from is decided by scripts/prerequisites/provider.py. A copy
of infra/ is initialised with what was found; --pinned, for infra/ itself, accepts the lock file's version only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Mapping

from prerequisites.cli_configuration import VARIABLES
from prerequisites.provider import Choice, ProviderError, choose, release_lock
from prerequisites.requirements import read_requirement
from prerequisites.terraform import Terraform, TerraformError, find_terraform

ROOT = Path(__file__).resolve().parents[1]
WITHOUT_PROVIDER = {"fmt", "version"}


def find_program(environment: Mapping[str, str]) -> Terraform:
    """Return the program that TF names; raises TerraformError."""
    return find_terraform(environment.get("TF") or "terraform", read_requirement(ROOT / "infra").terraform, environment)


def decide(environment: Mapping[str, str], *, pinned: bool = False) -> tuple[Terraform, Choice]:
    """Return the program and where its provider comes from; raises TerraformError or ProviderError."""
    terraform = find_program(environment)
    return terraform, choose(terraform, ROOT, environment, pinned=pinned)


def apply_choice(choice: Choice, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with what a choice sets and unsets; Terraform does not ask for news of itself."""
    changed = {"CHECKPOINT_DISABLE": "1", **environment}
    for name, value in choice.environment.items():
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = value
    return changed


def drop_missing_configuration(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without variables that name a missing CLI configuration, of which Terraform complains."""
    return {n: v for n, v in environment.items() if n not in VARIABLES or Path(v).is_file()}


def find_folder(arguments: list[str]) -> Path:
    """Return the folder in which Terraform works."""
    folders = [each.partition("=")[2] for each in arguments if each.startswith("-chdir=")]
    return Path(*folders[:1])


def main(arguments: list[str]) -> int:
    """Replace this process by Terraform; return an exit status only on failure."""
    pinned = arguments[:1] == ["--pinned"]
    arguments = arguments[1:] if pinned else arguments
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    try:
        if command in WITHOUT_PROVIDER:
            terraform, environment = find_program(os.environ), drop_missing_configuration(os.environ)
        else:
            terraform, choice = decide(os.environ, pinned=pinned)
            environment = apply_choice(choice, os.environ)
            if command == "init" and not pinned and find_folder(arguments).resolve() != ROOT / "infra":
                release_lock(find_folder(arguments), choice, terraform)
    except (TerraformError, ProviderError) as error:
        print(error, file=sys.stderr)
        return 1
    return os.execve(terraform.program, [terraform.program, *arguments], environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
