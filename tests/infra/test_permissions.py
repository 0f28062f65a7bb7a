"""What the Terraform allows: nothing on all resources without a reason, nothing that checkov is to skip without one."""

import re
from pathlib import Path

import pytest

from tests.support.emulator import ROOT

FILES = sorted((ROOT / "infra").glob("**/*.tf"))
EVERYTHING = {
    ("modules/lambda/main.tf", "SendTraces"): "X-Ray knows no resources to send traces to",
    ("modules/lambda/main.tf", "AttachToVpc"): "EC2 names network interfaces only once they are made",
    ("modules/lambda/main.tf", "DenyVpcToTheCode"): "a denial, which may be as wide as can be",
}
"""Statements on all resources, and why they cannot name theirs."""
EVERYBODY = {
    "modules/bucket/main.tf": "a denial of what does not come by TLS",
    "modules/queue/main.tf": "a denial of what does not come by TLS",
    "modules/dead_letter_queue/main.tf": "a denial of what does not come by TLS",
    "services/dataset_download/functions.tf": "a Function URL that is open on purpose, which emulators want",
}
"""Files that name everybody as a principal, and why."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT / "infra"))


def find_statements(text: str) -> list[str]:
    """Return the policy statements of a file."""
    return re.findall(r"^ *(?:statement|content) \{\n(.*?)^ *\}\n(?= *\}|\n|  })", text, re.MULTILINE | re.DOTALL)


def test_every_statement_on_all_resources_has_a_reason() -> None:
    found = set()
    for path in FILES:
        for statement in find_statements(path.read_text()):
            if re.search(r'resources += \["\*"\]', statement):
                (sid,) = re.findall(r'sid += "(\w+)"', statement)[:1]
                found.add((name(path), sid))
    written = sum(len(re.findall(r'resources += \["\*"\]', path.read_text())) for path in FILES)
    assert found == set(EVERYTHING)
    assert written == len(EVERYTHING), "a statement is written in a way that this test does not read"


def test_only_denials_are_of_all_actions() -> None:
    wild = {name(path) for path in FILES if re.search(r'actions += \[.*"\w+:[^"]*\*"', path.read_text())}
    assert wild == {file for file, reason in EVERYBODY.items() if "denial" in reason}


def test_everybody_is_named_only_to_be_denied_or_for_a_reason() -> None:
    everybody = re.compile(r'identifiers += \["\*"\]|principal += "\*"')
    assert {name(path) for path in FILES if everybody.search(path.read_text())} == set(EVERYBODY)


@pytest.mark.parametrize("path", [path for path in FILES if "checkov:skip" in path.read_text()], ids=name)
def test_every_check_that_is_skipped_says_why(path: Path) -> None:
    skips = re.findall(r"checkov:skip=(\S*?)(?::(.*))?$", path.read_text(), re.MULTILINE)
    assert [check for check, reason in skips if not re.match(r"CKV2?_AWS_\d+", check) or len(reason.split()) < 4] == []
