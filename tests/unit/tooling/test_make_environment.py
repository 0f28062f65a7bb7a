"""The virtual environment that make makes: what is half done is not taken for done."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS, ALL = "scripts-installed", "installed"


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment that is complete, and newer than what it was made of."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    for name in ("bin/python3.13", SCRIPTS, ALL):
        (folder / name).touch(mode=0o755)
    return folder


def make(venv: Path, target: str, *, works: bool = True) -> tuple[int, str]:
    """Make a stamp with an interpreter that only notes what it is asked for; returns the status and the notes."""
    notes, python = venv.parent / "notes", venv.parent / "python"
    notes.write_text("")
    python.write_text(f'#!/bin/sh\necho "$@" >>{notes}\nmkdir -p {venv}/bin\n')
    python.chmod(0o755)
    command = [
        "make",
        str(venv / target),
        f"VENV={venv}",
        f"PYTHON={python}",
        f"QUIETLY={'true' if works else 'false'}",
    ]
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    status = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).returncode
    return status, notes.read_text()


def list_stamps(venv: Path) -> list[str]:
    return [name for name in (SCRIPTS, ALL) if (venv / name).exists()]


def test_complete_environment_is_left_alone(venv: Path) -> None:
    assert make(venv, ALL) == (0, "scripts/doctor.py python venv\n")
    assert list_stamps(venv) == [SCRIPTS, ALL]


def test_environment_whose_installation_did_not_end_is_made_anew(venv: Path) -> None:
    (venv / SCRIPTS).unlink()
    status, notes = make(venv, SCRIPTS, works=False)
    assert status == 2
    assert f"-m venv --clear {venv}" in notes
    assert list_stamps(venv) == []
    assert make(venv, SCRIPTS)[0] == 0
    assert list_stamps(venv) == [SCRIPTS]


def test_development_tools_that_are_half_installed_spoil_the_whole_environment(venv: Path) -> None:
    (venv / ALL).unlink()
    assert make(venv, ALL, works=False)[0] == 2
    assert list_stamps(venv) == []


def test_changed_requirements_are_installed_into_a_new_environment(venv: Path) -> None:
    os.utime(venv / SCRIPTS, (1, 1))
    assert f"-m venv --clear {venv}" in make(venv, SCRIPTS)[1]
    assert list_stamps(venv) == [SCRIPTS]


def test_environment_of_another_python_or_of_none_is_made_anew(venv: Path) -> None:
    (venv / "bin/python3.13").unlink()
    (venv / "bin/python3.13").symlink_to("/nonexistent/python3.13")
    assert f"-m venv --clear {venv}" in make(venv, SCRIPTS)[1]
    assert list_stamps(venv) == [SCRIPTS]


def test_linked_environment_of_others_is_not_cleared(venv: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(venv)
    os.utime(venv / SCRIPTS, (1, 1))
    status, notes = make(link, SCRIPTS)
    assert status == 0
    assert "--clear" not in notes
