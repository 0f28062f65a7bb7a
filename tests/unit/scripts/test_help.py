import subprocess
from pathlib import Path

import pytest

from tests.unit.scripts.conftest import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_needs_neither_venv_nor_stack(script: str, option: str, tmp_path: Path) -> None:
    """Run from a copy of the scripts alone, as right after a clone."""
    subprocess.run(["cp", "-R", ROOT / "scripts", tmp_path / "scripts"], check=True)

    done = subprocess.run(
        [tmp_path / "scripts" / script, option], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=30
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: scripts/{script}")
    assert "--help" in done.stdout


def test_missing_venv_is_explained(tmp_path: Path) -> None:
    subprocess.run(["cp", "-R", ROOT / "scripts", tmp_path / "scripts"], check=True)

    done = subprocess.run(
        [tmp_path / "scripts" / "test_flow.sh"], capture_output=True, text=True, check=False, timeout=30
    )

    assert done.returncode == 1
    assert ".venv" in done.stderr


def test_scripts_are_clean_for_shellcheck() -> None:
    files = [str(path) for path in (ROOT / "scripts").rglob("*.sh")]
    shellcheck = ROOT / ".venv" / "bin" / "shellcheck"

    done = subprocess.run([shellcheck, *files], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stdout
