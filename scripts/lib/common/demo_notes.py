"""Notes for the demo's closing summary: one JSON object a line in the file that ``SLUICE_FACTS`` names.

Every script may note a ``fact``, which is a label and a value. A step of the demo notes its ``title``, what
``happened`` (a sentence with the labels of facts in braces), where to ``look`` (likewise), and a command to ``try``
next. Without the variable, as in any run outside the demo, nothing is written.
"""

import json
import os
import sys
from pathlib import Path


def note(kind: str, label: str, value: str) -> None:
    """Append one note; ``kind`` is ``fact``, with a label, or ``title``, ``happened``, ``look`` or ``try``, without."""
    file = os.environ.get("SLUICE_FACTS")
    if file:
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(json.dumps({"kind": kind, "label": label, "value": value}) + "\n")


def main() -> int:
    """Run from the command line: ``fact LABEL VALUE`` or ``KIND VALUE``."""
    kind, *label, value = sys.argv[1:]
    note(kind, "".join(label), value)
    return 0


if __name__ == "__main__":
    sys.exit(main())
