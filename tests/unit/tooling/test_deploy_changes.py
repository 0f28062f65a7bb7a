"""`make demo` applies the Terraform only where something has changed since it was applied."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WRITER = ROOT / "scripts" / "write_outputs.py"


@pytest.fixture
def applied(tmp_path: Path) -> Path:
    """A .local as an apply leaves it, later than the Terraform was changed."""
    written = ("outputs.env", "terraform/local.tfstate.applied", "run/ministack.json", "build/lambdas/a.zip")
    for name in written:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("API_BASE=http://127.0.0.1:4566\n")
    newest = max(path.lstat().st_mtime for path in [WRITER, ROOT / "infra", *(ROOT / "infra").rglob("*")])
    for place, name in enumerate(("build/lambdas/a.zip", "run/ministack.json", "terraform/local.tfstate.applied")):
        os.utime(tmp_path / name, (newest + place, newest + place))
    return tmp_path


def deploy_changes(local: Path) -> str:
    # Nothing is built, and what would be called is printed.
    command = ["make", "--old-file=local-zips", "deploy-changes", f"LOCAL={local}", "MAKE=echo called"]
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_applied_already_is_not_applied_again(applied: Path) -> None:
    assert deploy_changes(applied).startswith("applied already")


@pytest.mark.parametrize("name", ["run/ministack.json", "build/lambdas/a.zip"])
def test_other_emulator_and_newer_zip_are_applied(applied: Path, name: str) -> None:
    (applied / name).touch()
    assert "called --no-print-directory deploy-local" in deploy_changes(applied)


@pytest.mark.parametrize("name", ["outputs.env", "terraform/local.tfstate.applied"])
def test_outputs_of_another_deployment_and_an_apply_that_did_not_end_are_applied_over(applied: Path, name: str) -> None:
    (applied / name).write_text("API_BASE=https://example.org\n")
    assert "called --no-print-directory deploy-local" in deploy_changes(applied)
    (applied / name).unlink()
    assert "called --no-print-directory deploy-local" in deploy_changes(applied)


def test_newer_terraform_is_applied(applied: Path) -> None:
    for path in applied.rglob("*"):
        os.utime(path, (0, 0))
    assert "called --no-print-directory deploy-local" in deploy_changes(applied)


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ([], 2, ""),
        (["outputs.json"], 2, ""),
        (["terraform/local.tfstate.applied.interrupted", "outputs.json"], 2, "make down KEEP=0 up deploy-local"),
        (["terraform/local.tfstate.applied.interrupted"], 0, "starting over with an empty stack"),
    ],
)
def test_only_a_first_apply_that_was_interrupted_starts_over(
    tmp_path: Path, files: list[str], status: int, said: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    command = ["make", "apply-afresh", f"LOCAL={tmp_path}", "MAKE=echo called", "LOCAL_APPLY=echo applied"]
    (tmp_path / "terraform").mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert ("called --no-print-directory down KEEP=0" in done.stdout) is (status == 0)
    assert ("applied\n" in done.stdout) is (status == 0)
