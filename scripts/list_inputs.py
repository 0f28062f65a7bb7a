"""Writes the section Inputs of infra/README.md from the variables of the root and of the services."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "infra/README.md"
_FUNCTION = {
    "zip_jobs": ("worker", "zip_worker"),
    "csv_streamer": ("streamer", "csv_streamer"),
    "data_aggregator": ("aggregator", "data_aggregator"),
    "xapi_etl": ("etl", "xapi_etl"),
    "dataset_download": ("download", "dataset_download"),
}
"""By service: the module's variable with the function's settings, and the function's package."""
_VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}$', re.MULTILINE | re.DOTALL)
_OPTIONAL = re.compile(r"\s*(\w+)\s*= optional\((?:(?:list|map|set)\([\w()]+\)|string|number|bool)(?:, (.*))?\)\s*$")
_OPEN = re.compile(r"\s*(\w+)\s*= optional\(object\(\{\s*$")
_LINE_OBJECT = re.compile(r"\s*(\w+)\s*= optional\(object\(\{.*\}\)(?:, .*)?\)\s*$")
_WIDTH = 130


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and its attributes."""

    description: str
    default: str | None
    """``None`` for one that has to be set."""
    settings: dict[str, str | None]
    """Of an object: the default of each attribute, nested ones with dots."""


def read_variables(folder: Path) -> dict[str, Variable]:
    """Return a module's variables by name."""
    blocks = _VARIABLE.findall((folder / "variables.tf").read_text(encoding="utf-8"))
    return {
        name: Variable(
            (_read_field(body, "description") or "").strip('"').replace('\\"', '"').replace("|", "\\|"),
            _read_field(body, "default"),
            dict(_read_settings(body)),
        )
        for name, body in blocks
    }


def list_inputs() -> str:
    """Return the section as Markdown."""
    root = read_variables(ROOT / "infra")
    lines = [
        "## Inputs",
        "",
        "Variables of the root; a file in `envs/` sets them. `scripts/list_inputs.py` writes this section.",
    ]
    lines += ["", "| variable | default | meaning |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {_show(one.default) or 'required'} | {one.description} |"
        for name, one in root.items()
        if name not in _FUNCTION
    ]
    for service in _FUNCTION:
        lines += ["", f"### `{service}`", "", *_list_service(service, root[service])]
    return "\n".join(lines) + "\n"


def _list_service(service: str, variable: Variable) -> Iterator[str]:
    """Yield a table of what the module describes, and a paragraph with the function's own settings."""
    inner, package = _FUNCTION[service]
    module = read_variables(ROOT / "infra/services" / service)
    yield from ("| setting | default | meaning |", "|---|---|---|")
    plain = []
    for name, default in variable.settings.items():
        last, first = name.rpartition(".")[2], name.partition(".")[0]
        described = module.get(name) or (module.get(first) if first != inner else None)
        own = module[inner].settings.get(last)
        if described and described.description:
            known = described.default if name in module else described.settings.get(name.partition(".")[2])
            meaning = described.description if name in module else "see above"
            yield f"| `{name}` | {_show(default or known) or '-'} | {meaning} |"
        else:
            value = (_show(default or own) or "").strip("`")
            plain.append(f"`{name}`" + (f" ({value})" if value not in {"", "null"} else ""))
    yield ""
    text = (
        f"Size and settings of the function, described in [its README](../lambdas/{package}/README.md), with their "
        f"defaults (used alone, `services/{service}` takes them in `{inner}`): {', '.join(plain)}."
    )
    yield from textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _read_field(body: str, name: str) -> str | None:
    found = re.search(rf"^  {name}\s*= (.*)$", body, re.MULTILINE)
    return found[1] if found else None


def _read_settings(body: str) -> Iterator[tuple[str, str | None]]:
    path: list[str] = []
    for line in body.splitlines():
        if opened := _OPEN.match(line):
            path.append(opened[1])
            yield ".".join(path), None
        elif path and re.match(r"\s*\}\)(, .*)?\)\s*$", line):
            path.pop()
        elif found := _OPTIONAL.match(line):
            yield ".".join([*path, found[1]]), found[2]
        elif found := _LINE_OBJECT.match(line):
            yield ".".join([*path, found[1]]), None


def _show(default: str | None) -> str:
    if default is None:
        return ""
    return "empty" if default == '""' else f"`{default.strip(chr(34))}`"


def replace_section(readme: str, section: str) -> str:
    """Return the README with the section replaced."""
    before, _, rest = readme.partition("## Inputs\n")
    after = rest[rest.index("\n## ") + 1 :]
    return f"{before}{section}\n{after}"


def main() -> int:
    """Run from the command line; returns the exit status."""
    README.write_text(replace_section(README.read_text(encoding="utf-8"), list_inputs()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
