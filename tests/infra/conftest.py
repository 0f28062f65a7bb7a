"""Terraform on a copy of `infra/`, so that tests leave neither state nor a changed lock file in the checkout."""

import shutil

import pytest

from tests.emulator import ROOT
from tests.infra.run_terraform import Terraform, prepare_terraform


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    copy = tmp_path_factory.mktemp("terraform") / "infra"
    left_out = shutil.ignore_patterns(".terraform", "*.tfstate*", "backend.tf", "*_override.tf")
    shutil.copytree(ROOT / "infra", copy, ignore=left_out)
    return prepare_terraform(copy)
