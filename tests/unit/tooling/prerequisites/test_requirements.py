"""Terraform's requirements, as the check before any installation reads them."""

import re
from pathlib import Path

import pytest

from prerequisites.requirements import Lock, parse_version, read_locks, read_requirement, satisfies

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("version", "constraint", "fine"),
    [
        ("5.100.0", "~> 5.100", True),
        ("5.101.3", "~> 5.100", True),
        ("6.0.0", "~> 5.100", False),
        ("5.99.9", "~> 5.100", False),
        ("5.100.7", "~> 5.100.1", True),
        ("5.101.0", "~> 5.100.1", False),
        ("6.9.9", ">= 5.100, < 7", True),
        ("7.0.0", ">= 5.100, < 7", False),
        ("6.1.0", ">=5.100,<7,!=6.1.0", False),
        ("5.100.0", "5.100.0", True),
        ("5.100.1", "= 5.100.0", False),
        ("1.7.0", "> 1.7", False),
        ("1.7.0", "<= 1.7", True),
    ],
)
def test_constraints_are_terraforms(version: str, constraint: str, fine: bool) -> None:
    assert satisfies(parse_version(version), constraint) is fine


@pytest.mark.parametrize("constraint", ["", "newest", "~> five", "=> 5", "5.100.0-beta1"])
def test_what_is_no_constraint_is_refused(constraint: str) -> None:
    with pytest.raises(ValueError, match="is not a version constraint"):
        satisfies((5, 100, 0), constraint)


def test_constraint_of_the_checkout_is_that_of_its_terraform() -> None:
    written = re.search(r'aws = \{[^}]*version = "([^"]+)"', (ROOT / "infra/versions.tf").read_text())
    assert written
    requirement = read_requirement(ROOT / "infra")
    assert written.group(1) in requirement.provider
    lock = requirement.locks["registry.terraform.io/hashicorp/aws"]
    assert satisfies(lock.version, requirement.provider)
    assert lock.checksums


def test_constraints_of_all_modules_count(tmp_path: Path) -> None:
    for folder, constraint in (("", ">= 5.100, < 7"), ("modules/queue", "~> 6.2"), ("modules/table", "~> 6.2")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "versions.tf").write_text(
            'terraform {\n  required_version = ">= 1.7"\n  required_providers {\n    aws = {\n'
            f'      source  = "hashicorp/aws"\n      version = "{constraint}"\n    }}\n  }}\n}}\n'
        )
    requirement = read_requirement(tmp_path)
    assert (requirement.provider, requirement.terraform) == (">= 5.100, < 7, ~> 6.2", ">= 1.7")
    assert requirement.locks == {}


def test_terraform_that_asks_for_no_provider_is_refused(tmp_path: Path) -> None:
    (tmp_path / "versions.tf").write_text("terraform {}\n")
    with pytest.raises(ValueError, match=r"no versions\.tf under .* requires hashicorp/aws"):
        read_requirement(tmp_path)


def test_lock_file_is_read_by_provider(tmp_path: Path) -> None:
    (tmp_path / "lock.hcl").write_text(
        'provider "registry.terraform.io/hashicorp/aws" {\n  version     = "5.100.0"\n'
        '  constraints = "~> 5.100"\n  hashes = [\n    "h1:a+/b=",\n    "zh:c",\n  ]\n}\n\n'
        'provider "registry.terraform.io/hashicorp/random" {\n  version = "3.7.1"\n  hashes = ["h1:d"]\n}\n'
    )
    locks = read_locks(tmp_path / "lock.hcl")
    assert locks["registry.terraform.io/hashicorp/aws"] == Lock((5, 100, 0), frozenset({"h1:a+/b=", "zh:c"}))
    assert locks["registry.terraform.io/hashicorp/random"].version == (3, 7, 1)
