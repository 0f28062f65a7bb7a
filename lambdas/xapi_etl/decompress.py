"""Decompression of what begins like gzip or Zstandard; anything else passes as it is."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .exceptions import SourceError

if TYPE_CHECKING:
    from zstandard import ZstdDecompressionObj

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_OUTPUT_BYTES = 1024 * 1024
_ZSTD_INPUT_BYTES = 2048
"""At most some 64 MiB come out of so many bytes, however they were made."""
_ZSTD_WINDOW_BYTES = 128 * 1024 * 1024


def decompress(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a stream's contents, by what it begins with and not by its name.

    Raises:
        SourceError: compressed data is damaged or ends early.
    """
    rest = iter(pieces)
    beginning = b""
    for piece in rest:
        beginning += piece
        if len(beginning) >= len(_ZSTD):
            break
    stream = _chain(beginning, rest)
    if beginning.startswith(_GZIP):
        yield from _gunzip(stream)
    elif beginning.startswith(_ZSTD):
        yield from _unzstd(stream)
    else:
        yield from stream


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    is_open = False
    for piece in pieces:
        data, is_full = piece, False
        while data or is_full:
            if not is_open and not data.strip(b"\0"):
                break  # padding after the last member
            is_open = True
            try:
                output = member.decompress(data, _OUTPUT_BYTES)
            except zlib.error as error:
                raise SourceError(f"not valid gzip: {error}") from error
            yield output
            # With the input used up, there may still be output that did not fit.
            data, is_full = member.unconsumed_tail, len(output) == _OUTPUT_BYTES
            if member.eof:
                data, member, is_open, is_full = member.unused_data, zlib.decompressobj(wbits=31), False, False
    if is_open:
        raise SourceError("the gzip data ends early")


def _unzstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415  # few objects need it

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    frame: ZstdDecompressionObj | None = None
    for piece in pieces:
        for start in range(0, len(piece), _ZSTD_INPUT_BYTES):
            data = piece[start : start + _ZSTD_INPUT_BYTES]
            while data:
                frame = frame or decompressor.decompressobj()
                try:
                    yield frame.decompress(data)
                except zstandard.ZstdError as error:
                    raise SourceError(f"not valid Zstandard: {error}") from error
                data = b""
                if frame.eof:
                    data, frame = frame.unused_data, None
    if frame is not None:
        raise SourceError("the Zstandard data ends early")
