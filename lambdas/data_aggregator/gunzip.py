"""Decompressing ``.gz`` objects piece by piece, without trusting them."""

from collections.abc import Iterable, Iterator
from itertools import chain

from isal.igzip_lib import DECOMP_GZIP, IgzipDecompressor, IsalError

from .exceptions import CorruptGzipError

_INPUT = 64 * 1024
"""Bytes given to the decompressor at a time; it copies what follows a member, and a member may be 20 bytes."""
_HEADER = 4 * 1024
"""Bytes that a member begins with, where there are so many: isal misreads a header of several fields that is cut."""
_END = b""
"""After the last piece; no piece is empty."""
_OUTPUT = 1024 * 1024
"""Most bytes taken from it at a time: 64 KiB may well stand for 64 MB."""


def gunzip(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what a gzip file of one or several members holds; nothing for an empty file.

    Zero bytes after a member are padding, as gzip takes them.

    Raises:
        CorruptGzipError: not gzip, damaged, or it ends early.
    """
    member: IgzipDecompressor | None = None
    is_first = True
    rest = b""
    for piece in chain(_split(blocks), [_END]):
        data, rest = rest + piece, b""
        while data:
            if member is None:
                data = data if is_first else data.lstrip(b"\0")
                if len(data) < _HEADER and piece:
                    rest, data = data, b""
                if not data:
                    break
                member, is_first = IgzipDecompressor(flag=DECOMP_GZIP), False
            yield from _inflate(member, data)
            data = member.unused_data if member.eof else b""
            member = None if member.eof else member
    if member is not None:
        raise CorruptGzipError("the gzip data ends in the middle")


def _split(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        for start in range(0, len(block), _INPUT):
            yield block[start : start + _INPUT]


def _inflate(member: IgzipDecompressor, data: bytes) -> Iterator[bytes]:
    """Yield what ``data`` gives, up to the member's end or as long as more comes without further input."""
    try:
        yield member.decompress(data, _OUTPUT)
        while not member.eof and not member.needs_input:
            yield member.decompress(b"", _OUTPUT)
    except IsalError as error:  # type: ignore[misc]  # isal's stubs call the class an instance
        raise CorruptGzipError(f"not valid gzip data: {error}") from error
