"""Blocks of whole lines from a stream of bytes, with the start and end of each line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np

from xapi_etl.schemas import MAX_KEPT_LINE_BYTES

from .native import load_library

BLOCK_BYTES = 4 * 1024 * 1024
"""Maximum bytes of a block, unless a line is longer."""
MAX_LINE_BYTES = 32 * 1024 * 1024
MAX_LINES = 16_384
"""Maximum lines that are converted at once; a block may hold more than a million tiny lines."""
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Lines:
    """Consecutive lines without the blank ones."""

    data: bytes
    starts: np.ndarray
    """The start of each line in ``data``, in bytes."""
    ends: np.ndarray
    """The end of each line, without its line end."""
    first_number: int
    """The first line's number in the object, from 1."""

    def __len__(self) -> int:
        return len(self.starts)

    def texts(self) -> list[memoryview]:
        """Return the lines as views of their bytes."""
        view = memoryview(self.data)
        return [view[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]

    def slices(self, count: int = MAX_LINES) -> Iterator[Lines]:
        """Yield the lines in slices of at most ``count``, each with only its own bytes."""
        if len(self) <= count:
            yield self
            return
        for first in range(0, len(self), count):
            starts, ends = self.starts[first : first + count], self.ends[first : first + count]
            begin = int(starts[0])
            yield Lines(self.data[begin : int(ends[-1])], starts - begin, ends - begin, self.first_number + first)

    def select(self, indices: np.ndarray) -> Lines:
        """Return only the lines at these indices; their numbers are no longer consecutive."""
        return replace(self, starts=self.starts[indices], ends=self.ends[indices])


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line that is longer than the limit."""

    beginning: bytes
    size: int

    @classmethod
    def cut(cls, data: bytes, start: int, size: int, max_line_bytes: int) -> Self:
        """Return a long line with ``size`` bytes so far; its kept beginning does not depend on the stream's chunks."""
        return cls(data[start : start + min(MAX_KEPT_LINE_BYTES, max_line_bytes)], size)

    def extend(self, chunk: bytes) -> tuple[LongLine, bytes, bool]:
        """Return the line extended by a chunk, the bytes after the line, and whether the line has ended."""
        end = _find_end(chunk, 0)
        if end < 0:
            return replace(self, size=self.size + len(chunk)), b"", False
        return replace(self, size=self.size + end), chunk[end + 1 :], True


def split_blocks(
    chunks: Iterable[bytes], block_bytes: int = BLOCK_BYTES, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[bytes | LongLine]:
    """Yield a stream as blocks of whole lines, without a leading byte order mark.

    The cuts depend only on the stream's bytes, not on its chunks. A line above the limit becomes a LongLine, which
    keeps only its beginning.
    """
    block_bytes = min(block_bytes, max_line_bytes)  # so that a block above the limit is a single line
    waiting: list[bytes | memoryview] = []
    size, is_searched = 0, False
    long: LongLine | None = None
    for arrived in _strip_bom(chunks):
        chunk = arrived
        if long:
            long, chunk, is_over = long.extend(chunk)
            if not is_over:
                continue
            yield long
            long = None
        waiting.append(chunk)
        before, size = size, size + len(chunk)
        # The chunks of a long line are joined once, when the line ends.
        if size < block_bytes or (is_searched and size <= max_line_bytes and _find_end(chunk, 0) < 0):
            continue
        data, start = chunk, _find_last(chunk, 0, block_bytes - before)
        if start:
            yield b"".join([*waiting[:-1], memoryview(chunk)[:start]])
        elif before:
            data = b"".join(waiting)
        cuts = list(_find_cuts(data, start, block_bytes))
        yield from (_make_block(data, *ends, max_line_bytes) for ends in pairwise([start, *cuts]))
        start = cuts[-1] if cuts else start
        waiting, size = [memoryview(data)[start:]], len(data) - start
        is_searched = size >= block_bytes
        if is_searched and size > max_line_bytes:
            long, waiting, size, is_searched = LongLine.cut(data, start, size, max_line_bytes), [], 0, False
    if long:
        yield long
    elif size:
        yield _make_block(data := b"".join(waiting), 0, len(data), max_line_bytes)


def _make_block(data: bytes, start: int, end: int, max_line_bytes: int) -> bytes | LongLine:
    """Return a block; a block above the limit is a single line."""
    size = end - start
    if size <= max_line_bytes:
        return data[start:end]
    size -= data.endswith((b"\n", b"\r"), start, end)
    return LongLine.cut(data, start, size, max_line_bytes) if size > max_line_bytes else data[start:end]


def index_lines(data: bytes, first_number: int = 1) -> Lines:
    """Return the lines of a block without blank ones; CR, LF and CR LF each end a line."""
    find = load_library().find_lines
    room = find(data, len(data), None, None)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    found = find(data, len(data), starts.ctypes.data, ends.ctypes.data) if room else 0
    return Lines(data, starts[:found], ends[:found], first_number)


def _strip_bom(chunks: Iterable[bytes]) -> Iterator[bytes]:
    beginning = b""
    rest = iter(chunks)
    for chunk in rest:
        beginning += chunk
        if len(beginning) >= len(_BOM):
            break
    yield beginning.removeprefix(_BOM)
    yield from rest


def _find_end(chunk: bytes, start: int) -> int:
    """Return the position of the first line end; -1 if there is none."""
    found = [position for end in (b"\n", b"\r") if (position := chunk.find(end, start)) >= 0]
    return min(found, default=-1)


def _find_last(data: bytes, start: int, limit: int) -> int:
    """Return the position after the last line end before ``limit``; 0 if there is none."""
    if limit <= start:
        return 0
    last = data.rfind(b"\n", start, limit)
    return 1 + max(last, data.rfind(b"\r", max(last, start), limit))


def _find_cuts(data: bytes, start: int, block_bytes: int) -> Iterator[int]:
    """Yield the ends of the blocks from ``start`` on."""
    while start := _find_cut(data, start, block_bytes):
        yield start


def _find_cut(data: bytes, start: int, block_bytes: int) -> int:
    """Return the end of the block at ``start``, after its last line end or else the next one; 0 if incomplete."""
    limit = start + block_bytes
    if len(data) < limit:
        return 0
    if last := _find_last(data, start, limit):
        return last
    return _find_end(data, limit) + 1
