"""Notes for the demo's closing summary: one JSON object a line in the file that ``SLUICE_FACTS`` names.

Scripts note facts (label and value) and commands (what it does and the line to type). Without the variable, as in any
run outside the demo, nothing is written.
"""

import json
import os
import sys
from pathlib import Path


def note(kind: str, label: str, value: str) -> None:
    """Append one note; ``kind`` is ``title``, ``fact`` or ``command``."""
    file = os.environ.get("SLUICE_FACTS")
    if file:
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(json.dumps({"kind": kind, "label": label, "value": value}) + "\n")


def main() -> int:
    """Run from the command line: ``KIND LABEL [VALUE]``."""
    kind, label, *value = sys.argv[1:]
    note(kind, label, "".join(value))
    return 0


if __name__ == "__main__":
    sys.exit(main())
