"""The demo's closing summary: for each service the result, the place to look, and a command to try next."""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

type Note = dict[str, str]

_LABEL = re.compile(r"\{([^{}]+)\}")
_BEFORE = "Each line to try works in a shell that has done this, in the checkout's folder:"
_SOURCE = ". .local/outputs.env"


def print_summary(steps: Iterable[list[Note]], console: Console) -> None:
    """Print each step's notes.

    No line is wrapped or boxed in, so that paths and commands can be copied from the terminal, and a command has a line
    to itself.
    """
    console.print(f"\n{_BEFORE}")
    console.print(Text(f"  {_SOURCE}", style="green"), soft_wrap=True)
    for notes in steps:
        facts = {note["label"]: note["value"] for note in notes if note["kind"] == "fact"}
        console.print()
        console.rule(_join(notes, "title", facts), align="left")
        for line in _collect(notes, "happened", facts):
            console.print(Text(line), soft_wrap=True)
        if look := _join(notes, "look", facts):
            console.print(Text.assemble(("Look at: ", "cyan"), look), soft_wrap=True)
        for command in _collect(notes, "try", {}):
            console.print("Try:", style="cyan")
            console.print(Text(f"  {command}", style="green"), soft_wrap=True)


def _collect(notes: list[Note], kind: str, facts: dict[str, str]) -> list[str]:
    """Return the values of one kind, with labels replaced by their facts."""
    values = [note["value"] for note in notes if note["kind"] == kind]
    return [_LABEL.sub(lambda label: facts.get(label[1], label[0]), value) for value in values]


def _join(notes: list[Note], kind: str, facts: dict[str, str]) -> str:
    return ", ".join(_collect(notes, kind, facts))


def main() -> int:
    """Run from the command line: ``FOLDER`` with one file of notes a step."""
    files = sorted(Path(sys.argv[1]).glob("*.jsonl"))
    print_summary(
        ([json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files), Console()
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
