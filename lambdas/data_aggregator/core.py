"""The writer of a bundle: concatenates sources into one gzip file, each completely or not at all."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from isal import isal_zlib

from .exceptions import BundleFullError, SourceTooLargeError
from .schemas import Cut

_MAX_HELD = 4 * 1024 * 1024
"""A source up to this size is written only once it has been read to its end, bytes."""
_GZIP = 31
"""``wbits`` of a gzip stream with the largest window."""
_NEWLINE = b"\n"
_SAMPLE = 64 * 1024
"""Number of a source's first bytes that are checked for control characters."""
_TEXT = bytes({7, 8, 9, 10, 11, 12, 13, 27, *range(0x20, 0x7F), *range(0x80, 0x100)})
"""Bytes of a text in ASCII, UTF-8 or a Latin code page. Source: file(1), encoding.c."""
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class _Mark:
    """A position that the bundle can be rolled back to."""

    file_position: int
    offset: int
    taken: int
    lacks_newline: bool


class _TextTest:
    """Detects text, which gets a final newline. UTF-16 is treated as other data: one more byte would shift the rest."""

    def __init__(self) -> None:
        self.is_text = True
        self._mark = b""
        self._left = _SAMPLE

    def feed(self, chunk: bytes) -> None:
        """Examine the next bytes."""
        if not self.is_text:
            return
        if len(self._mark) < len(_UTF16_MARKS[0]):
            self._mark = (self._mark + chunk[:2])[:2]
        sample = chunk[: self._left]
        self._left -= len(sample)
        self.is_text = self._mark not in _UTF16_MARKS and b"\0" not in chunk and not sample.translate(None, _TEXT)


class BundleWriter:
    """Compresses sources into ``file``, which has to be empty and seekable.

    A text that does not end with a newline gets one, also at the bundle's end, so that bundles can be concatenated.
    Other data is not changed. A source that fails at any byte leaves no trace: a small source is read to its end before
    anything is written; a larger one starts a new gzip member, so that the file can be truncated to where it was.
    ``zcat`` reads several members as one stream.

    Args:
        file: where the gzip file goes.
        level: of compression, 0 to 3.
        limit: most bytes of all sources together, decompressed.
        check: called for every chunk; raises to stop a source.
    """

    def __init__(self, file: BinaryIO, *, level: int, limit: int, check: Callable[[], None]) -> None:
        self._file = file
        self._level = level
        self._limit = limit
        self._check = check
        self._compress = self._new_member()
        self._is_member_empty = True
        self._taken = 0
        self._lacks_newline = False
        self.offset = 0
        """Bytes of the uncompressed bundle so far."""

    def add(self, chunks: Iterable[bytes]) -> Cut:
        """Append one source.

        Exceptions of ``chunks`` and ``check`` are passed on unchanged.

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
        self._separate()
        self._file.write(self._compress.flush())
        return self._file.tell()

    def _write(self, chunks: Iterable[bytes]) -> Cut:
        digest, test = hashlib.sha256(), _TextTest()
        length, start = 0, self.offset
        for chunk in chunks:
            if length == 0:
                start = self._separate()
            length += len(chunk)
            self._refuse_above_limit(length)
            digest.update(chunk)
            test.feed(chunk)
            self._put(chunk)
            self._lacks_newline = test.is_text and not chunk.endswith(_NEWLINE)
        self._taken += length
        return Cut(start, length, digest.hexdigest())

    def _separate(self) -> int:
        if self._lacks_newline:
            self._put(_NEWLINE)
            self._lacks_newline = False
        return self.offset

    def _put(self, chunk: bytes) -> None:
        self._file.write(self._compress.compress(chunk))
        self._is_member_empty = False
        self.offset += len(chunk)

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
        return _Mark(self._file.tell(), self.offset, self._taken, self._lacks_newline)

    def _go_back(self, mark: _Mark) -> None:
        self._file.seek(mark.file_position)
        self._file.truncate()
        self._compress = self._new_member()
        self._is_member_empty = True
        self.offset, self._taken, self._lacks_newline = mark.offset, mark.taken, mark.lacks_newline

    def _new_member(self) -> isal_zlib.Compress:
        return isal_zlib.compressobj(self._level, isal_zlib.DEFLATED, _GZIP)


def _hold(chunks: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """Return chunks up to a few MiB, and whether the source has ended."""
    held, size = [], 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size > _MAX_HELD:
            return held, False
    return held, True
