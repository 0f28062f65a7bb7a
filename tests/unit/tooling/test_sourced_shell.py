"""A developer's shell that has sourced `.local/outputs.env` runs the tests as any other."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from write_outputs import collect_variables, format_variables

ROOT = Path(__file__).parents[3]
OFFLINE = {"aws_endpoint_url": "http://127.0.0.1:1", "aws_region": "us-east-1", "dataset_bucket": "deployed"}
TEST = """
import os

def test_environment():
    wanted = %r
    assert {name: os.environ.get(name) for name in wanted} == wanted
    assert os.environ["MINE"] == "kept"
"""


@pytest.mark.parametrize("sourced", [True, False])
def test_tests_see_nothing_of_what_the_shell_has_sourced(tmp_path: Path, sourced: bool) -> None:
    variables = collect_variables(OFFLINE, "")
    names = ("AWS_ENDPOINT_URL", "DATASET_BUCKET", "AWS_SECRET_ACCESS_KEY")
    if not sourced:
        del variables["SLUICE_OUTPUTS_SOURCED"]  # set by hand: the tests are meant to see it
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "outputs.env").write_text(format_variables(variables))
    (tmp_path / "tests" / "support").mkdir(parents=True)
    for name in ("conftest.py", "support/tiers.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests" / name)
    wanted = dict.fromkeys(names) if sourced else {name: variables[name] for name in names}
    (tmp_path / "tests" / "test_environment.py").write_text(TEST % wanted)

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"pythonpath=. {ROOT / 'scripts'}"]
    done = subprocess.run(
        [*command, "tests"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "MINE": "kept", **variables},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
