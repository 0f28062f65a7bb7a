"""The modules that the services are made of, with a mocked provider."""

import pytest

from tests.infra.support.mocked_runs import FILES, SERVICES, check_runs_pass
from tests.infra.support.run_terraform import Terraform


@pytest.mark.slow
def test_mocked_runs_of_the_modules_pass(terraform: Terraform) -> None:
    check_runs_pass(terraform, FILES - SERVICES - {"root"})
