"""Every command that a Markdown file shows works when it is pasted into a clean shell."""

import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.e2e.stack import ROOT, Stack
from tests.support.command_blocks import Block, read_blocks

BLOCKS = read_blocks()
BY_FILE = {
    file: list(blocks)
    for file, blocks in groupby((block for block in BLOCKS if block.language == "bash"), key=lambda block: block.file)
}
AWS_CLI = [block for block in BLOCKS if block.reason == "Needs the AWS CLI"]
SECONDS = 900
FAILURES = re.compile(r"Traceback|DB::Exception|<Error>|BrokenPipe|command not found|[Nn]o rule to make")
PROBLEM = re.compile(r'"status": ?([45]\d\d)\b')


@pytest.fixture
def offline(stack: Stack) -> Stack:
    if not stack.is_local:
        pytest.skip("the commands are shown for the offline stack")
    return stack


@pytest.fixture
def tidy_checkout() -> Iterator[None]:
    """Fail if the commands leave files of their own in the checkout's root, where they are run."""
    before = set(ROOT.iterdir())
    yield
    left = {path.name for path in set(ROOT.iterdir()) - before}
    assert left <= {".venv", ".local", "build", ".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache"}


def paste(commands: list[str], folder: Path, path: str = os.environ["PATH"]) -> list[str]:
    """Run commands one after another in one clean shell, in the checkout's root; return what each printed.

    Tests that a command would run are only collected: `make unit` and others run them.
    """
    shell = {"HOME": os.environ.get("HOME", str(folder)), "PATH": path, "PYTEST_ADDOPTS": "--collect-only -q"}
    script = folder / "pasted.sh"
    parts = [f"printf '\\n@@ {number}\\n'\n{command}\n" for number, command in enumerate(commands)]
    # A developer's own .env would win over the stack under test.
    sourced = ". .local/outputs.env\n" + ("unset SLUICE_OUTPUTS_SOURCED\n" if (ROOT / ".env").exists() else "")
    script.write_text(f"set -euo pipefail\nexec 2>&1\n{sourced}{''.join(parts)}", encoding="utf-8")
    done = subprocess.run(
        ["bash", script],
        cwd=ROOT,
        env=shell,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    printed = re.split(r"\n@@ \d+\n", done.stdout)[1:]
    failed = commands[len(printed) - 1] if printed else "sourcing .local/outputs.env"
    assert done.returncode == 0, f"{failed}\nends with {done.returncode} after printing\n{printed[-1:]}"
    return printed


def check(block: Block, printed: str) -> None:
    """Fail if a command printed an error, though it ended well; an HTTP status is none that the text announces."""
    assert not FAILURES.search(printed), f"{block}\n{block.text}\nprints\n{printed}"
    announced = re.findall(r"\b[45]\d\d\b", block.lead)
    assert set(PROBLEM.findall(printed)) <= set(announced), f"{block}\n{block.text}\nprints\n{printed}"


@pytest.mark.usefixtures("offline", "tidy_checkout")
@pytest.mark.parametrize("file", BY_FILE)
def test_blocks_of_a_file_work_one_after_another(file: str, tmp_path: Path) -> None:
    printed = paste([block.text for block in BY_FILE[file]], tmp_path)

    for block, text in zip(BY_FILE[file], printed, strict=True):
        check(block, text)


def test_blocks_that_are_not_run_are_named(
    record_testsuite_property: object, capsys: pytest.CaptureFixture[str]
) -> None:
    left_out = [block for block in BLOCKS if block.reason]
    with capsys.disabled():
        print(f"\n{sum(map(len, BY_FILE.values()))} blocks of {len(BY_FILE)} files are run, {len(left_out)} are not:")
        for block in left_out:
            print(f"  {block}: {block.reason}")
    assert len(left_out) < sum(map(len, BY_FILE.values()))


def find_demo_commands() -> list[str]:
    """Return the commands that the demo's steps give to try, as their scripts have them."""
    steps = sorted((ROOT / "scripts" / "demo.d").glob("*.sh"))
    noted = [
        line
        for step in steps
        for line in step.read_text().splitlines()
        if line.startswith("run_python common.demo_notes try ")
    ]
    return [shlex.split(line)[3] for line in noted]


@pytest.mark.usefixtures("offline", "tidy_checkout")
def test_commands_that_the_demo_gives_to_try_work(tmp_path: Path) -> None:
    before = "PREFIX=demo/tried/\nscripts/upload_pdfs.sh --prefix $PREFIX LICENSE\nscripts/upload_datasets.sh\n"
    commands = find_demo_commands()
    assert len(commands) == 5

    for command, text in zip(commands, paste([before, *commands], tmp_path)[1:], strict=True):
        assert text.strip(), command
        assert not FAILURES.search(text), f"{command}\n{text}"
        assert not PROBLEM.search(text), f"{command}\n{text}"


@pytest.mark.slow
@pytest.mark.usefixtures("offline", "tidy_checkout")
def test_demo_ends_with_two_screens_at_most_and_its_commands_work(tmp_path: Path) -> None:
    demo = ["bash", "-c", ". .local/outputs.env; scripts/demo.sh"]
    shell = {"HOME": os.environ.get("HOME", str(tmp_path)), "PATH": os.environ["PATH"], "COLUMNS": "100"}
    done = subprocess.run(demo, cwd=ROOT, env=shell, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = done.stdout[done.stdout.index("Each line to try works") :].splitlines()
    commands = [line.strip() for line in page if line.startswith("  ")]

    assert sum(max(1, math.ceil(len(line) / 100)) for line in page) <= 2 * 24
    assert len(commands) == 6
    for text in paste(commands, tmp_path)[1:]:
        assert text.strip()
        assert not FAILURES.search(text), text
        assert not PROBLEM.search(text), text


@pytest.mark.slow
@pytest.mark.usefixtures("tidy_checkout")
def test_lines_for_the_aws_cli_work_with_the_one_of_pypi(offline: Stack, tmp_path: Path) -> None:
    (pin,) = re.findall(r"^awscli==\S+", (ROOT / "requirements-bench.txt").read_text(), re.MULTILINE)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "cli"], check=True)
    pip = [tmp_path / "cli/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pin]
    if subprocess.run(pip, capture_output=True, check=False).returncode:
        pytest.skip(f"{pin} cannot be installed here")
    assert AWS_CLI
    distribution = offline.outputs["distribution_bucket"]
    key = "2026/01/01/00/bundle-cli.manifest.json"
    offline.s3.put_object(Bucket=distribution, Key=key, Body=b"{}")

    for _ in range(2):  # pasted again, a line does no harm
        printed = paste([block.text for block in AWS_CLI], tmp_path, f"{tmp_path}/cli/bin:{os.environ['PATH']}")
        for block, text in zip(AWS_CLI, printed, strict=True):
            check(block, text)

    manifests = offline.s3.list_objects_v2(Bucket=distribution, Prefix="_manifests/2026/01/01/00/")["Contents"]
    assert [entry["Key"] for entry in manifests] == [f"_manifests/{key}"]
    assert "Contents" not in offline.s3.list_objects_v2(Bucket=distribution, Prefix="_manifests/_manifests/")
    offline.delete_versions(distribution, f"_manifests/{key}")
