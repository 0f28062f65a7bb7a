"""Which of Terraform's own tests, with a mocked provider, run together.

A process for many files: starting one and reading the provider's schema takes longer than most runs.
"""

from tests.infra.support.run_terraform import Terraform
from tests.support.emulator import ROOT

ELSEWHERE = {"environments", "observability"}
"""Run by test_limits.py and test_alarms.py, which also look at what they made."""
SERVICES = {path.name for path in (ROOT / "infra/services").iterdir()}
FILES = {path.name.removesuffix(".tftest.hcl") for path in (ROOT / "infra/tests").glob("*.tftest.hcl")} - ELSEWHERE


def check_runs_pass(terraform: Terraform, files: set[str]) -> None:
    """Run the files' tests; a file that Terraform does not find, it would pass over without a word."""
    paths = [f"tests/{file}.tftest.hcl" for file in sorted(files)]
    tested = terraform("test", "-no-color", *(f"-filter={path}" for path in paths))
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert [path for path in paths if f"{path}... pass" not in tested.stdout] == []
