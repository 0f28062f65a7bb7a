"""Each service, used alone, with a mocked provider."""

import pytest

from tests.infra.support.mocked_runs import FILES, SERVICES, check_runs_pass
from tests.infra.support.run_terraform import Terraform

QUICK = {"csv_streamer"}


def test_mocked_runs_of_a_service_pass(terraform: Terraform) -> None:
    check_runs_pass(terraform, QUICK)


@pytest.mark.slow
def test_mocked_runs_of_the_other_services_pass(terraform: Terraform) -> None:
    check_runs_pass(terraform, (FILES & SERVICES) - QUICK)
