"""Lines: blocks of whole lines from a stream of bytes, with the start and end of each line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np

from xapi_etl.schemas import MAX_KEPT_LINE_BYTES

from .native import load_library

BLOCK_BYTES = 4 * 1024 * 1024
"""Bytes that are converted at once, unless a line is longer."""
MAX_LINE_BYTES = 32 * 1024 * 1024
MAX_LINES = 16_384
"""Lines that are converted at once: of tiny ones a block holds more than a million."""
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Lines:
    """Some consecutive lines, without the blank ones."""

    data: bytes
    starts: np.ndarray
    """Where each line begins in ``data``, bytes."""
    ends: np.ndarray
    """Where each line ends, its line end not counted."""
    first_number: int
    """Of the first line, from 1, in the object."""

    def __len__(self) -> int:
        return len(self.starts)

    def texts(self) -> list[memoryview]:
        """Return the lines' bytes, not copied."""
        view = memoryview(self.data)
        return [view[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]

    def slices(self, count: int = MAX_LINES) -> Iterator[Lines]:
        """Yield the lines in parts of at most ``count``, each with just its own bytes."""
        if len(self) <= count:
            yield self
            return
        for first in range(0, len(self), count):
            starts, ends = self.starts[first : first + count], self.ends[first : first + count]
            begin = int(starts[0])
            yield Lines(self.data[begin : int(ends[-1])], starts - begin, ends - begin, self.first_number + first)

    def select(self, indices: np.ndarray) -> Lines:
        """Return just the lines at these indices; their numbers are not consecutive any more."""
        return replace(self, starts=self.starts[indices], ends=self.ends[indices])


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line that is longer than the limit."""

    beginning: bytes
    size: int

    @classmethod
    def cut(cls, data: bytes, start: int, size: int, max_line_bytes: int) -> Self:
        """Return a line of that many bytes so far; what is kept of it does not depend on how the stream comes."""
        return cls(data[start : start + min(MAX_KEPT_LINE_BYTES, max_line_bytes)], size)

    def extend(self, chunk: bytes) -> tuple[LongLine, bytes, bool]:
        """Return the line with what a chunk adds, what follows it, and whether it has ended."""
        end = _find_end(chunk, 0)
        if end < 0:
            return replace(self, size=self.size + len(chunk)), b"", False
        return replace(self, size=self.size + end), chunk[end + 1 :], True


def split_blocks(
    chunks: Iterable[bytes], block_bytes: int = BLOCK_BYTES, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[bytes | LongLine]:
    """Cut a stream into blocks of whole lines; a byte order mark at its beginning is left out.

    Where the cuts are depends on the stream's bytes only, not on how they come in chunks. Of a line that is longer
    than the limit only the beginning is kept.
    """
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
        # A long line's chunks are put together once, when it ends.
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
    """Return a block; a block of more than the limit is a single line."""
    size = end - start
    if size <= max_line_bytes:
        return data[start:end]
    size -= data.endswith((b"\n", b"\r"), start, end)
    return LongLine.cut(data, start, size, max_line_bytes) if size > max_line_bytes else data[start:end]


def index_lines(data: bytes, first_number: int = 1) -> Lines:
    """Find the lines of a block; each of CR, LF and CR LF ends one, and blank ones are left out."""
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
    """Return where the first line ends; -1 if none does."""
    found = [position for end in (b"\n", b"\r") if (position := chunk.find(end, start)) >= 0]
    return min(found, default=-1)


def _find_last(data: bytes, start: int, limit: int) -> int:
    """Return where the last line before ``limit`` ends; 0 if none does."""
    if limit <= start:
        return 0
    last = data.rfind(b"\n", start, limit)
    return 1 + max(last, data.rfind(b"\r", max(last, start), limit))


def _find_cuts(data: bytes, start: int, block_bytes: int) -> Iterator[int]:
    """Yield where the blocks from ``start`` on end."""
    while start := _find_cut(data, start, block_bytes):
        yield start


def _find_cut(data: bytes, start: int, block_bytes: int) -> int:
    """Return where the block from ``start`` on ends: after its last line end, or the first one after it; 0: not yet."""
    limit = start + block_bytes
    if len(data) < limit:
        return 0
    if last := _find_last(data, start, limit):
        return last
    return _find_end(data, limit) + 1
