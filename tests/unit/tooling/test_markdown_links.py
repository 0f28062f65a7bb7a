"""Every link of a Markdown file to another file, folder or heading of the checkout leads somewhere."""

import re
from pathlib import Path

import pytest

from tests.support.command_blocks import FOLDERS, ROOT

FILES = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_anchors(text: str) -> set[str]:
    """Return the anchors of a file's headings, as GitHub makes them: `## What is a row?` is `what-is-a-row`."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def find_broken_links(file: Path) -> list[str]:
    broken = []
    for link in LINK.findall(FENCED.sub("", file.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in name_anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    return broken


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(file: Path) -> None:
    assert find_broken_links(file) == []


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("## Where is …?\n```\n# no heading\n```\n### `POST` & more\n")
    assert name_anchors(file.read_text()) == {"where-is-", "post--more"}
