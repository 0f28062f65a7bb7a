"""Terraform's CLI configuration: a reader of the user's provider sources, and a writer."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Tuple

VARIABLES = ("TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG")
_TOKEN = re.compile(r'\s+|#[^\n]*|//[^\n]*|/\*.*?\*/|("(?:[^"\\]|\\.)*")|([\w.-]+)|([{}\[\]=,])', re.DOTALL)

Entry = Tuple[str, Any]


class ConfigurationError(Exception):
    """A text is not a CLI configuration, as far as this module understands one."""


@dataclass(frozen=True)
class Method:
    """One way of getting providers: dev_overrides, filesystem_mirror, network_mirror or direct."""

    kind: str
    settings: dict[str, Any]

    def covers(self, address: str) -> bool:
        """Return whether the method is one for a provider, such as `registry.terraform.io/hashicorp/aws`."""
        include, exclude = self.settings.get("include"), self.settings.get("exclude")
        if exclude is not None and any(_matches(pattern, address) for pattern in exclude):
            return False
        return include is None or any(_matches(pattern, address) for pattern in include)


@dataclass(frozen=True)
class UserConfiguration:
    """The files that Terraform would read by itself, and the methods that they name (None: not understood)."""

    files: tuple[Path, ...] = ()
    methods: tuple[Method, ...] | None = ()
    notices: tuple[str, ...] = field(default=())


def _matches(pattern: str, address: str) -> bool:
    """Return whether a pattern such as `hashicorp/*` or `example.com/*/*` stands for a provider's address."""
    parts, wanted = pattern.split("/"), address.split("/")
    parts = wanted[: len(wanted) - len(parts)] + parts
    return all(part in {"*", other} for part, other in zip(parts, wanted))


def find_user_configuration(environment: Mapping[str, str], home: Path, *, tofu: bool) -> UserConfiguration:
    """Return the user's own configuration; a variable that names a missing file counts as unset, with a notice."""
    notices = []
    for variable in VARIABLES:
        name = environment.get(variable)
        if name and Path(name).is_file():
            return _read_files((Path(name),), ())
        if name:
            notices.append(f"{variable} names {name}, which does not exist: it is ignored")
    names = (".tofurc", ".terraformrc") if tofu else (".terraformrc",)
    main = [home / name for name in names if (home / name).is_file()][:1]
    more = sorted((home / ".terraform.d").glob("*.tfrc"))
    return _read_files((*main, *more), tuple(notices))


def _read_files(files: tuple[Path, ...], notices: tuple[str, ...]) -> UserConfiguration:
    try:
        methods = [method for path in files for method in read_methods(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, ConfigurationError):
        return UserConfiguration(files, None, notices)
    return UserConfiguration(files, tuple(methods), notices)


def read_methods(text: str) -> list[Method]:
    """Return the installation methods of a configuration, in order; raises ConfigurationError for what is none."""
    tokens = _split(text)
    entries, end = _read_body(tokens, 0)
    if end != len(tokens):
        raise ConfigurationError("a } too many")
    methods = []
    for name, body in entries:
        if name == "provider_installation":
            if not isinstance(body, list):
                raise ConfigurationError("provider_installation is not a block")
            methods += [Method(kind, dict(settings)) for kind, settings in body if isinstance(settings, list)]
    return methods


def _split(text: str) -> list[str]:
    tokens, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match:
            raise ConfigurationError(f"cannot be read from {text[place : place + 20]!r} on")
        place = match.end()
        token = match.group(1) or match.group(2) or match.group(3)
        if token:
            tokens.append(token)
    return tokens


def _read_body(tokens: list[str], place: int) -> tuple[list[Entry], int]:
    """Return the entries up to the closing brace or the end, and where that is."""
    entries: list[Entry] = []
    while place < len(tokens) and tokens[place] != "}":
        name, place = _read_text(tokens, place), place + 1
        while place < len(tokens) and tokens[place].startswith('"'):
            place += 1  # a block's label
        if _at(tokens, place) == "=":
            value, place = _read_value(tokens, place + 1)
        else:
            value, place = _read_block(tokens, place)
        entries.append((name, value))
        if place < len(tokens) and tokens[place] == ",":
            place += 1
    return entries, place


def _read_block(tokens: list[str], place: int) -> tuple[list[Entry], int]:
    if _at(tokens, place) != "{":
        raise ConfigurationError("a { is missing")
    body, place = _read_body(tokens, place + 1)
    if _at(tokens, place) != "}":
        raise ConfigurationError("a } is missing")
    return body, place + 1


def _read_value(tokens: list[str], place: int) -> tuple[Any, int]:
    token = _at(tokens, place)
    if token == "{":  # noqa: S105 - no password
        return _read_block(tokens, place)
    if token != "[":  # noqa: S105 - no password
        return _read_text(tokens, place), place + 1
    values, place = [], place + 1
    while _at(tokens, place) != "]":
        value, place = _read_value(tokens, place)
        values.append(value)
        if _at(tokens, place) == ",":
            place += 1
    return values, place + 1


def _read_text(tokens: list[str], place: int) -> str:
    token = _at(tokens, place)
    if token in set("{}[]=,"):
        raise ConfigurationError(f"a {token} where a word is expected")
    return str(json.loads(token)) if token.startswith('"') else token


def _at(tokens: list[str], place: int) -> str:
    if place >= len(tokens):
        raise ConfigurationError("ends early")
    return tokens[place]


def format_configuration(kept: str, address: str, mirror: Path | None) -> str:
    """Return a configuration that adds to the user's where one provider comes from: a mirror, else the registry."""
    lines = ["# Written by scripts/prerequisites at each run: changes are lost.", kept, "provider_installation {"]
    if mirror:
        name, path = json.dumps(address), json.dumps(str(mirror), ensure_ascii=False)
        lines += [
            f"  filesystem_mirror {{\n    path    = {path}\n    include = [{name}]\n  }}",
            f"  direct {{\n    exclude = [{name}]\n  }}",
        ]
    else:
        lines.append("  direct {}")
    return "\n".join([*(line for line in lines if line), "}", ""])


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only (the user's configuration may hold tokens)."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (OSError, ValueError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(str(draft), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, for its mode
        file.write(text)
    draft.replace(path)
