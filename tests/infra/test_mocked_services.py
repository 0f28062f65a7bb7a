"""Each service, used alone, with a mocked provider."""

from tests.infra.mocked_runs import FILES, SERVICES, check_runs_pass
from tests.infra.run_terraform import Terraform


def test_mocked_runs_of_the_services_pass(terraform: Terraform) -> None:
    check_runs_pass(terraform, FILES & SERVICES)
