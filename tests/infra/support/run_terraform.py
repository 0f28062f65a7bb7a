"""Terraform as the tests run it: apart from the state, settings and workspaces of whoever runs them."""

import fcntl
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from prerequisites.provider import release_lock
from run_terraform import apply_choice, decide
from tests.support.emulator import ROOT

type Terraform = Callable[..., subprocess.CompletedProcess[str]]

_FOREIGN = ("TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR", "AWS_")


def prepare_terraform(folder: Path) -> Terraform:
    """Initialise `folder`; gives a function that runs Terraform there and leaves the exit code to be judged."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    # Terraform does not expect others at its cache of providers while it fills it.
    local = ROOT / ".local/terraform"
    local.mkdir(parents=True, exist_ok=True)
    with (local / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        terraform, choice = decide(inherited)
        release_lock(folder, choice, terraform)
        # Terraform and its provider are started often and for a short time, a third of which they collect garbage.
        environment = {"GOGC": "400", **apply_choice(choice, inherited)}

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [terraform.program, *arguments]
            return subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)

        initialised = run("init", "-input=false", "-no-color")
    if initialised.returncode:
        raise RuntimeError(initialised.stderr)
    return run
