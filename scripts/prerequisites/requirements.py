"""Requirements of the Terraform under infra/: provider, versions, and the checksums of its lock file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

Version = Tuple[int, ...]

PROVIDER = "hashicorp/aws"
TERRAFORM_REGISTRY = "registry.terraform.io"
OPENTOFU_REGISTRY = "registry.opentofu.org"
LOCK_FILE = ".terraform.lock.hcl"
_PARTS = 3
_PROVIDER_VERSION = re.compile(
    r'source\s*=\s*"(?:[\w.-]+/)?' + re.escape(PROVIDER) + r'"[^{}]*?version\s*=\s*"([^"]+)"', re.DOTALL
)
_TERRAFORM_VERSION = re.compile(r'required_version\s*=\s*"([^"]+)"')
_OPERATOR = re.compile(r"^(~>|>=|<=|!=|=|>|<)?\s*v?([0-9]+(?:\.[0-9]+)*)$")
_LOCKED = re.compile(r'provider "([\w./-]+)" \{\n(.*?)^\}', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Lock:
    """A version of the provider that a lock file pins, and the checksums that Terraform accepts for it."""

    version: Version
    checksums: frozenset[str]


@dataclass(frozen=True)
class Requirement:
    """The versions that a folder of Terraform accepts, and what its lock file says, by the provider's address."""

    provider: str
    terraform: str
    locks: dict[str, Lock]


def parse_version(text: str) -> Version:
    """Return a version such as `5.100.0` as three numbers; raises ValueError for prereleases and other texts."""
    numbers = [int(part) for part in text.split(".")]
    return tuple(numbers + [0] * (_PARTS - len(numbers)))


def format_version(version: Version) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))


def satisfies(version: Version, constraint: str) -> bool:
    """Return whether a version meets all parts of a Terraform version constraint; raises ValueError for a bad one."""
    return all(_meets(version, part.strip()) for part in constraint.split(","))


def _meets(version: Version, condition: str) -> bool:
    match = _OPERATOR.match(condition)
    if not match:
        raise ValueError(f"'{condition}' is not a version constraint")
    operator, text = match.group(1) or "=", match.group(2)
    bound = parse_version(text)
    if operator == "~>":
        # Only the right-most part that is written may grow.
        fixed = max(len(text.split(".")) - 1, 1)
        return version >= bound and version[:fixed] == bound[:fixed]
    outcomes = {
        "=": version == bound,
        "!=": version != bound,
        ">": version > bound,
        ">=": version >= bound,
        "<": version < bound,
        "<=": version <= bound,
    }
    return outcomes[operator]


def read_requirement(infra: Path) -> Requirement:
    """Read what the root and all its modules require; raises ValueError where nothing is said of the provider."""
    providers: list[str] = []
    programs: list[str] = []
    for path in sorted(infra.rglob("versions.tf"), key=lambda path: (len(path.parts), path)):
        text = path.read_text(encoding="utf-8")
        providers += _PROVIDER_VERSION.findall(text)
        programs += _TERRAFORM_VERSION.findall(text)
    if not providers:
        raise ValueError(f"no versions.tf under {infra} requires {PROVIDER}")
    return Requirement(
        provider=", ".join(dict.fromkeys(providers)),
        terraform=", ".join(dict.fromkeys(programs)) or ">= 0",
        locks=read_locks(infra / LOCK_FILE),
    )


def read_locks(path: Path) -> dict[str, Lock]:
    """Return the versions that a lock file pins, by provider address; empty without a lock file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    locks = {}
    for address, body in _LOCKED.findall(text):
        version = re.search(r'^\s*version\s*=\s*"([0-9.]+)"', body, re.MULTILINE)
        if version:
            checksums = frozenset(re.findall(r'"((?:h1|zh):[^"]+)"', body))
            locks[address] = Lock(parse_version(version.group(1)), checksums)
    return locks
