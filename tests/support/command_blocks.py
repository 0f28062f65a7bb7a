"""The commands in the project's Markdown files.

A ``bash`` block works offline when it is pasted, in the checkout's root, into a shell that has sourced
``.local/outputs.env``; end-to-end tests run it. An ``sh`` block cannot be run by them, and its first line tells the
reader why.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "infra", "lambdas", "layers", "scripts", "tests")
SHELLS = {"bash", "sh", "shell", "zsh", "console", "terminal"}
_FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_REASON = re.compile(r"# ((?:Needs|Takes|Runs until) .+)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of commands."""

    file: str
    """Path below the checkout's root."""
    line: int
    """Of the opening fence."""
    language: str
    text: str
    lead: str
    """The text between this block and the one before."""

    @property
    def reason(self) -> str | None:
        """Return why the tests do not run the block, as its first line says."""
        found = _REASON.fullmatch(self.text.partition("\n")[0])
        return found[1] if found else None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def read_blocks() -> list[Block]:
    """Return the blocks of all Markdown files, in their order."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")]
    files = sorted([*ROOT.glob("*.md"), *inside])
    return [block for file in files for block in _split(file.relative_to(ROOT).as_posix(), file.read_text("utf-8"))]


def _split(name: str, markdown: str) -> Iterator[Block]:
    end = 0
    for fence in _FENCE.finditer(markdown):
        if fence[1] in SHELLS:
            line = markdown.count("\n", 0, fence.start()) + 1
            yield Block(name, line, fence[1], fence[2], markdown[end : fence.start()])
        end = fence.end()
