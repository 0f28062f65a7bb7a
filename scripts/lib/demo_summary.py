"""The demo's last page: what every step did, and the lines to do it oneself."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

type Note = dict[str, str]


def print_summary(steps: Iterable[list[Note]], console: Console) -> None:
    """Print each step's notes: a table of facts, then the commands.

    Commands are printed unwrapped and undecorated, so that they can be copied from the terminal.
    """
    for notes in steps:
        title = next((note["label"] for note in notes if note["kind"] == "title"), "")
        table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
        for note in notes:
            if note["kind"] == "fact":
                table.add_row(Text(note["label"], style="cyan"), Text(note["value"], overflow="fold"))
        console.print()
        console.print(table)
        commands = [note for note in notes if note["kind"] == "command"]
        if commands:
            console.print("\nTo do it yourself:", style="bold")
        for note in commands:
            console.print(Text(f"\n# {note['label']}", style="green"))
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
