"""Helpers for the tests of the zips."""

import subprocess
import sys
from pathlib import Path

from inputs import find_packages

ROOT = Path(__file__).parents[3]
# zip-settler lives in the worker's zip, dataset-export in the download's.
HANDLERS = {
    "dataset_download": ["dataset_download.app", "dataset_download.exporter"],
    "zip_worker": ["zip_worker.app", "zip_worker.dead_letters"],
}
# Run with nothing but boto3 besides the zips, and nothing of a function's settings in the environment.
IMPORT_HANDLER = """
import importlib, sys
import boto3
found = importlib.import_module(sys.argv[1])
assert callable(found.lambda_handler)
roots = tuple(sys.argv[2:])
for name in ("aiohttp", "aws_lambda_powertools", "aws_xray_sdk", "backports.zstd", "isal", "pydantic", "wrapt"):
    module = sys.modules.get(name)
    assert module is None or module.__file__.startswith(roots), (name, module.__file__)
"""


def list_handlers() -> list[tuple[str, str]]:
    """Return every package with each of its modules that has a handler."""
    packages = find_packages(ROOT)
    return [(package, module) for package in packages for module in HANDLERS.get(package, [f"{package}.app"])]


def build(output: Path, *options: str) -> dict[str, bytes]:
    """Build into a folder; gives each zip's bytes by its path there."""
    command = [sys.executable, str(ROOT / "layers/build.py"), "--output", str(output), *options]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in sorted(output.glob("l*/*.zip"))}
