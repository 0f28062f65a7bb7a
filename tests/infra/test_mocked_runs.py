"""Terraform's own tests, with a mocked provider. A file of their own: they run beside the deployment's."""

from pathlib import Path

import pytest

from tests.emulator import ROOT
from tests.infra.run_terraform import Terraform

# Run by test_alarms.py, which also looks at what it made.
ELSEWHERE = {"observability.tftest.hcl"}
FILES = sorted(path for path in (ROOT / "infra/tests").glob("*.tftest.hcl") if path.name not in ELSEWHERE)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_mocked_runs_pass(terraform: Terraform, file: Path) -> None:
    tested = terraform("test", "-no-color", f"-filter=tests/{file.name}")
    assert tested.returncode == 0, tested.stdout + tested.stderr
