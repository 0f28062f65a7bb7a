"""The resources of an environment, found without an account by a mocked apply of a copy of infra/.

Values that AWS would give, such as ARNs, are made up; all others are those of a real deployment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_TEST = "tests/environments.tftest.hcl"
_LEFT_OUT = shutil.ignore_patterns(".terraform", "*.tfstate*", "backend.tf", "*_override.tf", ".terraform.tfstate.d")
_FOREIGN = ("TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR", "AWS_")


class DeploymentError(RuntimeError):
    """Terraform refuses the environment; the message is Terraform's."""


@dataclass(frozen=True)
class Resource:
    """One resource that is made."""

    address: str
    """Such as ``module.zip_jobs[0].module.queue.aws_sqs_queue.this``."""
    type: str
    values: dict[str, Any]


def deploy(environment: str, change: Callable[[Path], None] | None = None) -> list[Resource]:
    """Return what ``infra/envs/<environment>.tfvars`` deploys.

    Args:
        environment: name of the file.
        change: called with the copy of infra/ before Terraform looks at it.

    Raises:
        DeploymentError: the environment is not valid.
    """
    if not (ROOT / f"infra/envs/{environment}.tfvars").is_file():
        raise DeploymentError(f"there is no infra/envs/{environment}.tfvars")
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        copy = Path(folder) / "infra"
        shutil.copytree(ROOT / "infra", copy, ignore=_LEFT_OUT)
        if change:
            change(copy)
        _run(copy, "init", "-input=false", "-no-color")
        lines = _run(copy, "test", "-json", "-verbose", f"-filter={_TEST}", f"-var-file=envs/{environment}.tfvars")
    messages = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    states = [message["test_state"] for message in messages if message["type"] == "test_state"]
    return list(_walk(states[0]["root_module"]))


def _run(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    command = [sys.executable, str(ROOT / "scripts/run_terraform.py"), f"-chdir={folder}", *arguments]
    done = subprocess.run(command, env={"GOGC": "400", **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DeploymentError(_read_errors(done.stdout) or done.stderr)
    return done.stdout


def _read_errors(output: str) -> str:
    """Return the error messages in Terraform's JSON lines."""
    messages = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    found = [
        message["diagnostic"] for message in messages if message.get("@level") == "error" and "diagnostic" in message
    ]
    return "\n".join(f"{one['summary']}: {one['detail']}" for one in found)


def _walk(module: dict[str, Any]) -> Iterator[Resource]:
    for resource in module.get("resources", []):
        yield Resource(resource["address"], resource["type"], resource["values"])
    for child in module.get("child_modules", []):
        yield from _walk(child)
