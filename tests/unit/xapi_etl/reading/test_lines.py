"""Streams as blocks of whole lines."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xapi_etl.reading.lines import LongLine, index_lines, split_blocks

MARK = b"\xef\xbb\xbf"
contents = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b" ", MARK, b"x" * 30])).map(b"".join)


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in pairwise(edges)]


def split(pieces: list[bytes], block_bytes: int) -> list[bytes]:
    """Return the blocks of a stream that has no lines above the limit."""
    return [block for block in split_blocks(pieces, block_bytes) if isinstance(block, bytes)]


@settings(deadline=None)
@given(contents, st.lists(st.integers(0, 1000)), st.integers(1, 20))
def test_blocks_are_whole_lines_for_any_chunks(content: bytes, places: list[int], block_bytes: int) -> None:
    blocks = split(cut(content, places), block_bytes)
    assert b"".join(blocks) == content.removeprefix(MARK)
    assert all(block[-1:] in {b"\n", b"\r"} for block in blocks[:-1])
    assert blocks == split([content], block_bytes)
    # Only a block of a single line is longer than the limit.
    assert [block for block in blocks if len(block) > block_bytes and len(block.splitlines()) > 1] == []


@settings(deadline=None)
@given(contents)
def test_index_finds_the_lines_that_are_not_blank(content: bytes) -> None:
    expected = [line for line in content.splitlines() if line.strip(b" \t")]
    assert [bytes(text) for text in index_lines(content).texts()] == expected


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_block_of_very_short_lines_is_searched_once(end: bytes) -> None:
    """Searching the block again for each line would take minutes."""
    assert len(index_lines((b"{}" + end) * 1_000_000)) == 1_000_000
    assert len(index_lines(end * 1_000_000)) == 0


@settings(deadline=None)
@given(contents, st.lists(st.integers(0, 1000)), st.integers(1, 20), st.integers(1, 40))
def test_only_lines_above_the_limit_are_removed(
    content: bytes, places: list[int], block_bytes: int, limit: int
) -> None:
    found = list(split_blocks(cut(content, places), block_bytes, limit))
    assert found == list(split_blocks([content], block_bytes, limit))
    lines = content.removeprefix(MARK).splitlines()
    removed = [one.size for one in found if isinstance(one, LongLine)]
    assert removed == [len(line) for line in lines if len(line) > limit]
    kept = b"".join(one for one in found if isinstance(one, bytes)).splitlines()
    assert [line for line in kept if line] == [line for line in lines if 0 < len(line) <= limit]


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\nmore\n", b"\nmore"])
@pytest.mark.parametrize("length", [100, 101, 1000])
def test_line_above_the_limit_is_reported_and_others_are_kept(piece: int, end: bytes, length: int) -> None:
    content = b"short\n" + b"x" * length + end
    found = list(split_blocks([content[at : at + piece] for at in range(0, len(content), piece)], 20, 100))
    long = [one for one in found if isinstance(one, LongLine)]
    rest = b"".join(one for one in found if isinstance(one, bytes)).split()
    assert [(one.size, one.beginning) for one in long] == ([(length, b"x" * 100)] if length > 100 else [])
    assert rest == [line for line in content.split() if len(line) <= 100]


def test_slices_have_only_their_own_bytes() -> None:
    lines = index_lines(b"\n".join(b"%d" % number for number in range(1000)), 5)
    parts = list(lines.slices(300))
    assert [(len(part), part.first_number) for part in parts] == [(300, 5), (300, 305), (300, 605), (100, 905)]
    assert [bytes(text) for part in parts for text in part.texts()] == [bytes(text) for text in lines.texts()]
    assert sum(len(part.data) for part in parts) < len(lines.data)
