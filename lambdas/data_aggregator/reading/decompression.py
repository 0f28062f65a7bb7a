"""Streaming decompression of untrusted objects.

The first bytes decide the format, never the name alone; the name and Content-Encoding say which format is expected. All
decompressors have the interface of :class:`bz2.BZ2Decompressor`, whose output is bounded call by call.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol, cast

from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
from isal.igzip_lib import DECOMP_DEFLATE, DECOMP_GZIP, DECOMP_ZLIB, IgzipDecompressor, IsalError

from data_aggregator.exceptions import CorruptSourceError

_INPUT = 64 * 1024
"""Bytes per input call. A decompressor copies what follows a member, and a member may have only 20 bytes."""
_HEADER = 4 * 1024
"""Minimum bytes passed to a new decompressor, because isal misparses a truncated header of several fields."""
_END = b""
"""After the last piece; no piece is empty."""
_OUTPUT = 1024 * 1024
"""Maximum bytes per output call: 64 KiB of input can expand to 2 GB."""
_MAX_LAYERS = 3
"""Maximum nested compressions; a file that decompresses to itself would never end."""
_WINDOW_LOGS = (27, 24, 24)
"""Base-2 logarithm of the most memory for each layer with a window: 128 MB, as the zstd command's limit, then 16 MB."""
_SKIPPABLE = tuple(bytes([0x50 + number]) + b"\x2a\x4d\x18" for number in range(16))
_ZSTD = b"\x28\xb5\x2f\xfd"
_BZIP2 = re.compile(rb"BZh[1-9](?:\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)")
"""With the mark of a block or of the end: a text may well begin with ``BZh9``."""
_SUFFIXES = {
    "gz": "gzip",
    "gzip": "gzip",
    "tgz": "gzip",
    "zst": "zstd",
    "zstd": "zstd",
    "bz2": "bzip2",
    "tbz2": "bzip2",
    "xz": "xz",
    "txz": "xz",
}
_CODINGS = {"gzip", "zstd", "bzip2", "xz", "deflate"}
_UNKNOWN_CODINGS = {"br", "compress", "dcb", "dcz", "exi", "lz4", "pack200-gzip", "snappy"}
"""Codings that change the bytes and that nothing here undoes; any other word, such as ``utf-8``, changes none."""


class Decompressor(Protocol):
    """The decompressor of one member, frame or stream."""

    @property
    def eof(self) -> bool:
        """Whether it is complete."""

    @property
    def needs_input(self) -> bool:
        """Whether further output needs further input."""

    @property
    def unused_data(self) -> bytes:
        """Input beyond the end."""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Return at most ``max_length`` bytes."""


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    magics: tuple[bytes, ...]
    """What each member begins with; empty for a format without such a mark."""
    open: Callable[[int], Decompressor]
    """Takes the base-2 logarithm of the most memory."""


@dataclass(slots=True)
class Content:
    """The bytes of an object, decompressed while they are iterated over.

    Args:
        blocks: the object as it is stored.
        key: its key, whose suffix says what is expected.
        read_coding: returns the object's Content-Encoding; called once the first block is there.
    """

    blocks: Iterable[bytes]
    key: str
    read_coding: Callable[[], str]
    decompressed: list[str] = field(default_factory=list)
    """The formats that were decompressed, the outermost first; complete once the iteration has ended."""
    coding: str = ""
    """The object's Content-Encoding."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes.

        Raises:
            CorruptSourceError: they are not what name, Content-Encoding or first bytes say, are damaged or end early.
        """
        head, stream = _peek(self.blocks)
        self.coding = self.read_coding()
        expected = [*_list_codings(self.coding), *_read_suffix(self.key)]
        while head:
            found = _find_format(head, expected)
            if found is None:
                self._check(expected)
                break
            if len(self.decompressed) == _MAX_LAYERS:
                raise CorruptSourceError(f"compressed more than {_MAX_LAYERS} times: {', '.join(self.decompressed)}, …")
            windows = sum(name in {"zstd", "xz"} for name in self.decompressed)
            self.decompressed.append(found.name)
            if found.name in expected:
                del expected[: expected.index(found.name) + 1]
            head, stream = _peek(_decompress(stream, found, _WINDOW_LOGS[windows]))
        yield from stream

    def _check(self, expected: Sequence[str]) -> None:
        """Raise if the result is still compressed, or if declared compressions were not found."""
        unknown = [name for name in expected if name in _UNKNOWN_CODINGS]
        if unknown:
            raise CorruptSourceError(f"its Content-Encoding {self.coding!r} is not supported: {unknown[0]}")
        if expected and not self.decompressed:
            where = f"its Content-Encoding {self.coding!r}" if _list_codings(self.coding) else "its name"
            raise CorruptSourceError(f"not {expected[0]} data, although {where} says so")


def _peek(blocks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return up to 4 KiB from the start of the stream, and an iterator over the complete stream."""
    stream, taken, size = iter(blocks), list[bytes](), 0
    for block in stream:
        taken.append(block)
        size += len(block)
        if size >= _HEADER:
            break
    return b"".join(taken)[:_HEADER], chain(taken, stream)


def _list_codings(header: str) -> list[str]:
    """Return a Content-Encoding's compressions, the outermost first: the header has the innermost first."""
    names = [name.strip().lower().removeprefix("x-") for name in header.split(",")]
    return [name for name in reversed(names) if name in _CODINGS | _UNKNOWN_CODINGS]


def _read_suffix(key: str) -> list[str]:
    _, dot, suffix = key.lower().rpartition("/")[2].rpartition(".")
    return [_SUFFIXES[suffix]] if dot and suffix in _SUFFIXES else []


def _find_format(head: bytes, expected: Sequence[str]) -> _Format | None:
    """Return the format of data by their first bytes; ``None`` if it is not known."""
    if head.startswith(b"\x1f\x8b\x08"):
        return _GZIP_FORMAT
    if _BZIP2.match(head):
        return _BZIP2_FORMAT
    if head.startswith(b"\xfd7zXZ\0"):
        return _XZ_FORMAT
    if _is_zstd(head, is_expected="zstd" in expected):
        return _ZSTD_FORMAT
    if expected[:1] == ["deflate"]:
        return _DEFLATE_FORMAT if _is_zlib(head) else _RAW_DEFLATE_FORMAT
    # Data shorter than the magic number is identified by its declared format.
    named = [one for one in _FORMATS if one.name in expected[:1]]
    return next((one for one in named if _begins(head, one)), None)


def _begins(data: bytes, form: _Format) -> bool:
    """Return whether data, which may be short, begin like a member."""
    return any(data.startswith(magic) or magic.startswith(data) for magic in form.magics)


def _is_zstd(head: bytes, *, is_expected: bool) -> bool:
    """Return whether data are Zstandard; LZ4, and by chance a text, can begin with the same skippable frames."""
    start = 0
    while head[start : start + 4] in _SKIPPABLE:
        start += 8 + int.from_bytes(head[start + 4 : start + 8], "little")
        if start >= len(head):
            return is_expected
    return head.startswith(_ZSTD, start)


def _is_zlib(head: bytes) -> bool:
    # RFC 1950: the method, deflate, in the low bits, and a check number.
    return head[0] & 15 == zlib.DEFLATED and int.from_bytes(head[:2]) % 31 == 0


def _decompress(blocks: Iterable[bytes], form: _Format, window_log: int) -> Iterator[bytes]:
    """Yield the contents of one or more members; zero bytes after a member are padding, as in gzip."""
    member: Decompressor | None = None
    members = 0
    rest = b""
    for piece in chain(_split(blocks), [_END]):
        data, rest = rest + piece, b""
        while data:
            if member is None:
                data = data.lstrip(b"\0") if members else data
                if len(data) < _HEADER and piece:
                    rest, data = data, b""
                if not data:
                    break
                if members:
                    _check_next(data, form, members)
                member, members = form.open(window_log), members + 1
            yield from _inflate(member, data, form.name)
            data = member.unused_data if member.eof else b""
            member = None if member.eof else member
    if member is not None:
        raise CorruptSourceError(f"the {form.name} data end in the middle")


def _check_next(data: bytes, form: _Format, members: int) -> None:
    """Raise if what follows a complete member is not another one."""
    if not _begins(data, form):
        raise CorruptSourceError(f"bytes that are not {form.name} follow its {members} complete members")


def _split(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        for start in range(0, len(block), _INPUT):
            yield block[start : start + _INPUT]


def _inflate(member: Decompressor, data: bytes, name: str) -> Iterator[bytes]:
    """Yield the output of ``data``, up to the member's end or until further input is needed."""
    try:
        yield member.decompress(data, _OUTPUT)
        while not member.eof and not member.needs_input:
            yield member.decompress(b"", _OUTPUT)
    except _ERRORS as error:
        raise CorruptSourceError(f"not valid {name} data: {error}") from error


def _open_zstd(window_log: int) -> Decompressor:
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: window_log})


def _open_xz(window_log: int) -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << window_log)


_ERRORS = (cast("type[Exception]", IsalError), OSError, ValueError, EOFError, lzma.LZMAError, ZstdError)
_GZIP_FORMAT = _Format("gzip", (b"\x1f\x8b",), lambda _: IgzipDecompressor(flag=DECOMP_GZIP))
_BZIP2_FORMAT = _Format("bzip2", (b"BZh",), lambda _: bz2.BZ2Decompressor())
_ZSTD_FORMAT = _Format("zstd", (_ZSTD, *_SKIPPABLE), _open_zstd)
_XZ_FORMAT = _Format("xz", (b"\xfd7zXZ\0",), _open_xz)
_DEFLATE_FORMAT = _Format("deflate", (), lambda _: IgzipDecompressor(flag=DECOMP_ZLIB))
_RAW_DEFLATE_FORMAT = _Format("deflate", (), lambda _: IgzipDecompressor(flag=DECOMP_DEFLATE))
_FORMATS = (_GZIP_FORMAT, _BZIP2_FORMAT, _ZSTD_FORMAT, _XZ_FORMAT)
