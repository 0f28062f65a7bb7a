"""The bundle: sources one after another in one gzip file, each all or nothing."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from isal import isal_zlib

from .exceptions import BundleFullError, SourceTooLargeError
from .schemas import Cut

_HOLD = 4 * 1024 * 1024
"""A source up to this size is written only once it has been read to its end, bytes."""
_GZIP = 31
"""``wbits`` of a gzip stream with the largest window."""
_NEWLINE = b"\n"


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place that the bundle can be taken back to."""

    file_position: int
    offset: int
    taken: int
    ends_with_newline: bool


class BundleWriter:
    """Compresses sources into ``file``, which has to be empty and seekable.

    Between two sources comes a newline where the first does not end with one. A source that fails, on whatever
    byte, leaves no trace: a small one is read to its end before anything is written, before a larger one a new gzip
    member begins, to which the file can be cut back. ``zcat`` reads several members as one stream.

    Args:
        file: where the gzip file goes.
        level: of compression, 0 to 3.
        limit: most bytes of all sources together, decompressed.
        check: called for every chunk; ends the work on a source by raising.
    """

    def __init__(self, file: BinaryIO, *, level: int, limit: int, check: Callable[[], None]) -> None:
        self._file = file
        self._level = level
        self._limit = limit
        self._check = check
        self._compress = self._new_member()
        self._is_member_empty = True
        self._taken = 0
        self._ends_with_newline = True
        self.offset = 0
        """Bytes of the uncompressed bundle so far."""

    def add(self, chunks: Iterable[bytes]) -> Cut:
        """Append one source.

        What ``chunks`` or ``check`` raise comes through unchanged.

        Raises:
            BundleFullError: it does not fit with what is there already.
            SourceTooLargeError: it would not fit into an empty bundle.
        """
        rest = self._checked(chunks)
        held, is_whole = _hold(rest)
        if is_whole:
            self._refuse_above_limit(sum(map(len, held)))
            return self._write(held)
        mark = self._begin_member()
        try:
            return self._write(chain(held, rest))
        except BaseException:
            self._go_back(mark)
            raise

    def finish(self) -> int:
        """End the gzip file and return its size, bytes."""
        self._file.write(self._compress.flush())
        return self._file.tell()

    def _write(self, chunks: Iterable[bytes]) -> Cut:
        digest = hashlib.sha256()
        length, start = 0, self.offset
        for chunk in chunks:
            if length == 0:
                start = self._separate()
            length += len(chunk)
            self._refuse_above_limit(length)
            digest.update(chunk)
            self._put(chunk)
        self._taken += length
        return Cut(start, length, digest.hexdigest())

    def _separate(self) -> int:
        if not self._ends_with_newline:
            self._put(_NEWLINE)
        return self.offset

    def _put(self, chunk: bytes) -> None:
        self._file.write(self._compress.compress(chunk))
        self._is_member_empty = False
        self.offset += len(chunk)
        self._ends_with_newline = chunk.endswith(_NEWLINE)

    def _refuse_above_limit(self, length: int) -> None:
        """Raise if a source with this many bytes so far does not fit."""
        if length > self._limit:
            raise SourceTooLargeError(f"more than {self._limit} bytes, the limit of a bundle (MAX_BUNDLE_INPUT_MB)")
        if self._taken + length > self._limit:
            raise BundleFullError

    def _checked(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._check()
            if chunk:
                yield chunk

    def _begin_member(self) -> _Mark:
        if not self._is_member_empty:
            self._file.write(self._compress.flush())
            self._compress = self._new_member()
            self._is_member_empty = True
        return _Mark(self._file.tell(), self.offset, self._taken, self._ends_with_newline)

    def _go_back(self, mark: _Mark) -> None:
        self._file.seek(mark.file_position)
        self._file.truncate()
        self._compress = self._new_member()
        self._is_member_empty = True
        self.offset, self._taken, self._ends_with_newline = mark.offset, mark.taken, mark.ends_with_newline

    def _new_member(self) -> isal_zlib.Compress:
        return isal_zlib.compressobj(self._level, isal_zlib.DEFLATED, _GZIP)


def _hold(chunks: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """Take chunks up to a few MiB; say whether that was all."""
    held, size = [], 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size > _HOLD:
            return held, False
    return held, True
