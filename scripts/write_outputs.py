"""Writes Terraform's outputs where scripts and checks read them: `terraform output -json | write_outputs.py FOLDER`.

FOLDER/outputs.json holds plain `name: value`, FOLDER/outputs.env the same as `NAME=value` lines for a shell.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any


def read_values(text: str) -> dict[str, Any]:
    """Return name → value from what `terraform output -json` prints; raises ValueError for anything else."""
    outputs = json.loads(text)
    if not isinstance(outputs, dict) or not all(isinstance(each, dict) for each in outputs.values()):
        raise ValueError("expected the object that `terraform output -json` prints")
    return {name: output["value"] for name, output in sorted(outputs.items())}


def format_variables(values: dict[str, Any]) -> str:
    """Return shell-quoted NAME=value lines; what is not a string is written as JSON, null as nothing."""
    lines = []
    for name, value in values.items():
        text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
        lines.append(f"{name.upper()}={shlex.quote(text)}\n")
    return "".join(lines)


def write(target: Path, text: str) -> None:
    """Replace a file at once, so that a reader never sees half of it; its owner alone may read it."""
    draft = target.with_suffix(".part")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)


def main(arguments: list[str]) -> int:
    """Run; returns the exit status."""
    if len(arguments) != 1:
        print("usage: terraform output -json | write_outputs.py FOLDER", file=sys.stderr)
        return 2
    try:
        values = read_values(sys.stdin.read())
    except (ValueError, KeyError) as error:
        print(f"cannot read Terraform's outputs: {error}", file=sys.stderr)
        return 1
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "outputs.json", json.dumps(values, indent=2) + "\n")
    write(folder / "outputs.env", format_variables(values))
    print(f"outputs: {folder / 'outputs.json'}, {folder / 'outputs.env'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
