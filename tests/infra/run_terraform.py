"""Terraform as the tests run it: apart from the state, settings and workspaces of whoever runs them."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.emulator import ROOT

type Terraform = Callable[..., subprocess.CompletedProcess[str]]

_FOREIGN = ("TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR", "AWS_")


def prepare_terraform(folder: Path) -> Terraform:
    """Initialise `folder`; gives a function that runs Terraform there and leaves the exit code to be judged."""
    program = shutil.which(os.environ.get("TF", "terraform"))
    if program is None:
        raise RuntimeError("Terraform is not installed: see https://developer.hashicorp.com/terraform/install")
    # Where there is no mirror of it, the provider (150 MB to fetch) is kept for the next run.
    cache = ROOT / ".local/terraform/plugins"
    cache.mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    # Terraform and its provider are started often and for a short time, a third of which they would collect garbage.
    environment = {"TF_PLUGIN_CACHE_DIR": str(cache), "GOGC": "400", **inherited, "CHECKPOINT_DISABLE": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [program, *arguments]
        return subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)

    # Terraform does not expect others at the cache while it fills it.
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        initialised = run("init", "-input=false", "-no-color")
    if initialised.returncode:
        raise RuntimeError(initialised.stderr)
    return run
