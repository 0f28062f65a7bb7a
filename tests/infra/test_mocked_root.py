"""All services together, as the root composes them, with a mocked provider."""

from tests.infra.support.mocked_runs import check_runs_pass
from tests.infra.support.run_terraform import Terraform


def test_mocked_runs_of_the_root_pass(terraform: Terraform) -> None:
    check_runs_pass(terraform, {"root"})
