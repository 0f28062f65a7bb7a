"""Streams cut into blocks of whole lines."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xapi_etl import lines
from xapi_etl.exceptions import SourceError
from xapi_etl.lines import index_lines, split_blocks

MARK = b"\xef\xbb\xbf"
contents = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b" ", MARK, b"x" * 30])).map(b"".join)


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in pairwise(edges)]


@settings(deadline=None)
@given(contents, st.lists(st.integers(0, 1000)), st.integers(1, 20))
def test_blocks_are_whole_lines_wherever_the_pieces_end(content: bytes, places: list[int], block_bytes: int) -> None:
    blocks = list(split_blocks(cut(content, places), block_bytes))
    assert b"".join(blocks) == content.removeprefix(MARK)
    assert all(block[-1:] in {b"\n", b"\r"} for block in blocks[:-1])
    assert blocks == list(split_blocks([content], block_bytes))
    # A block is longer than asked for only if it is one line.
    assert [block for block in blocks if len(block) > block_bytes and len(block.splitlines()) > 1] == []


@settings(deadline=None)
@given(contents)
def test_index_finds_the_lines_that_are_not_blank(content: bytes) -> None:
    expected = [line for line in content.splitlines() if line.strip(b" \t")]
    assert [bytes(text) for text in index_lines(content).texts()] == expected


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_block_of_very_short_lines_is_looked_through_once(end: bytes) -> None:
    """Looked through again for each line it would take minutes."""
    assert len(index_lines((b"{}" + end) * 1_000_000)) == 1_000_000
    assert len(index_lines(end * 1_000_000)) == 0


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize("end", [b"", b"\n", b"\nmore\n"])
def test_line_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, piece: int, end: bytes) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100)

    def split(length: int) -> list[bytes]:
        content = b"short\n" + b"x" * length + end
        return list(split_blocks([content[at : at + piece] for at in range(0, len(content), piece)], 20))

    assert max(map(len, split(100))) <= 101
    with pytest.raises(SourceError, match="a line is longer than 100 bytes"):
        split(101)
