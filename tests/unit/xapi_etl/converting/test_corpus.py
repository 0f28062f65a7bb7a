"""Statements of public projects: all of them are accepted, and both parsers agree on them."""

from pathlib import Path

import pytest

from xapi_etl.converting.mapped_columns import Converter
from xapi_etl.converting.mapping import SHIPPED, load_mapping
from xapi_etl.converting.row_chunks import convert_object
from xapi_etl.schemas import BadLine, Source

CORPUS = Path(__file__).parents[5] / "shared" / "corpus" / "statements"
MAPPING = load_mapping(SHIPPED.read_bytes())
OF_ANOTHER_VERSION = {"specification": 1}
"""Statements of xAPI 0.9, whose verbs are texts."""

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.jsonl")), ids=lambda path: path.stem)
def test_statements_of_public_projects_are_accepted(path: Path) -> None:
    found = []
    for is_fast in (True, False):
        bad: list[BadLine] = []
        converter = Converter(MAPPING, is_fast, only_statements=True)
        contents = iter([path.read_bytes()])
        pieces = convert_object(contents, Source("s3://b/k", "e"), converter, max_rows=30_000, on_bad_lines=bad.extend)
        found.append(([row for piece in pieces for row in piece.table.to_pylist()], bad))
    assert found[0] == found[1]
    rows, bad = found[0]
    assert [line.code for line in bad] == ["not_a_statement"] * OF_ANOTHER_VERSION.get(path.stem, 0)
    assert len(rows) + len(bad) == len([line for line in path.read_bytes().splitlines() if line.strip()])
