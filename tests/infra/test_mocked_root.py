"""All services together, as the root composes them, with a mocked provider."""

from tests.infra.mocked_runs import check_runs_pass
from tests.infra.run_terraform import Terraform


def test_mocked_runs_of_the_root_pass(terraform: Terraform) -> None:
    check_runs_pass(terraform, {"root"})
