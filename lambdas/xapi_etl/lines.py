"""From bytes to lines: where each one begins and ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from .exceptions import SourceError
from .library import load_library

BLOCK_BYTES = 4 * 1024 * 1024
"""How much is converted at once, unless a line is longer."""
MAX_LINE_BYTES = 64 * 1024 * 1024
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

    def pick(self, places: np.ndarray) -> Lines:
        """Return just the lines at these places; their numbers are not consecutive any more."""
        return replace(self, starts=self.starts[places], ends=self.ends[places])


def split_blocks(pieces: Iterable[bytes], block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Cut a stream into blocks of whole lines; a byte order mark at its beginning is left out.

    Where the cuts are depends on the stream's bytes only, not on how they come in pieces.

    Raises:
        SourceError: a line is longer than 64 MiB.
    """
    waiting: list[bytes | memoryview] = []
    size, is_searched = 0, False
    for piece in _leave_out_mark(pieces):
        waiting.append(piece)
        before, size = size, size + len(piece)
        # A long line's pieces are put together once, when it ends.
        if size < block_bytes or (is_searched and size <= MAX_LINE_BYTES and not _has_end(piece)):
            continue
        data, start = piece, _find_last(piece, 0, block_bytes - before)
        if start:
            yield b"".join([*waiting[:-1], memoryview(piece)[:start]])
        elif before:
            data = b"".join(waiting)
        while cut := _find_cut(data, start, block_bytes):
            yield data[start:cut]
            start = cut
        waiting, size = [memoryview(data)[start:]], len(data) - start
        is_searched = size >= block_bytes
        if is_searched and size > MAX_LINE_BYTES:
            raise _make_error()
    if size:
        yield b"".join(waiting)


def index_lines(data: bytes, first_number: int = 1) -> Lines:
    """Find the lines of a block; each of CR, LF and CR LF ends one, and blank ones are left out."""
    find = load_library().find_lines
    room = find(data, len(data), None, None)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    found = find(data, len(data), starts.ctypes.data, ends.ctypes.data) if room else 0
    return Lines(data, starts[:found], ends[:found], first_number)


def _leave_out_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    beginning = b""
    rest = iter(pieces)
    for piece in rest:
        beginning += piece
        if len(beginning) >= len(_BOM):
            break
    yield beginning.removeprefix(_BOM)
    yield from rest


def _has_end(piece: bytes) -> bool:
    return b"\n" in piece or b"\r" in piece


def _find_last(data: bytes, start: int, limit: int) -> int:
    """Return where the last line before ``limit`` ends; 0 if none does."""
    if limit <= start:
        return 0
    last = data.rfind(b"\n", start, limit)
    return 1 + max(last, data.rfind(b"\r", max(last, start), limit))


def _find_cut(data: bytes, start: int, block_bytes: int) -> int:
    """Return where the block from ``start`` on ends: after its last line end, or the first one after it; 0: not yet."""
    limit = start + block_bytes
    if len(data) < limit:
        return 0
    if last := _find_last(data, start, limit):
        return last
    found = [place for end in (b"\n", b"\r") if (place := data.find(end, limit)) >= 0]
    if not found:
        return 0
    end = min(found)
    if end - start > MAX_LINE_BYTES:
        raise _make_error()
    return end + 1


def _make_error() -> SourceError:
    return SourceError(f"a line is longer than {MAX_LINE_BYTES} bytes")
