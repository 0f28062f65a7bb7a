"""Terraform on a copy of `infra/`, so that tests leave neither state nor a changed lock file in the checkout."""

import shutil

import pytest

from tests.infra.support.run_terraform import Terraform, prepare_terraform
from tests.support.emulator import ROOT

SLOWEST_FIRST = [
    f"test_{name}.py"
    for name in ("deployment", "mocked_services", "mocked_root", "mocked_modules", "alarms", "api_auth")
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left alone with one at the end."""
    places = {name: place for place, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    copy = tmp_path_factory.mktemp("terraform") / "infra"
    left_out = shutil.ignore_patterns(".terraform", "*.tfstate*", "backend.tf", "*_override.tf")
    shutil.copytree(ROOT / "infra", copy, ignore=left_out)
    return prepare_terraform(copy)
