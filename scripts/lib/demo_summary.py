"""The demo's last page: what every step did, and the lines to do it oneself."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

type Note = dict[str, str]


def print_summary(steps: Iterable[list[Note]], console: Console) -> None:
    """Print each step's notes: the facts, then the commands.

    No line is wrapped or boxed in, so that paths and commands can be copied from the terminal.
    """
    for notes in steps:
        facts = [note for note in notes if note["kind"] == "fact"]
        commands = [note for note in notes if note["kind"] == "command"]
        console.print()
        console.rule(next((note["label"] for note in notes if note["kind"] == "title"), ""), align="left")
        width = max((len(note["label"]) for note in facts), default=0)
        for note in facts:
            line = Text.assemble((note["label"].ljust(width), "cyan"), "  ", note["value"])
            console.print(line, soft_wrap=True)
        if commands:
            console.print("\nTo do it yourself:", style="bold")
        for note in commands:
            console.print(Text(f"\n# {note['label']}", style="green"), soft_wrap=True)
            console.print(Text(note["value"]), soft_wrap=True)


def main() -> int:
    """Run from the command line: ``FOLDER`` with one file of notes a step."""
    files = sorted(Path(sys.argv[1]).glob("*.jsonl"))
    print_summary(
        ([json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files), Console()
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
