"""Decompression of gzip and Zstandard, recognised by their first bytes; other data passes unchanged."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from xapi_etl.exceptions import SourceError

if TYPE_CHECKING:
    from zstandard import ZstdDecompressionObj

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_UNSUPPORTED_SIGNATURES = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "a ZIP archive",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x04\x22\x4d\x18": "LZ4",
    b"\xff\x06\x00\x00sNaPpY": "Snappy",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"PAR1": "Parquet",
    b"Obj\x01": "Avro",
    b"ORC": "ORC",
    b"%PDF": "PDF",
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"{\x00": "UTF-16 without a byte order signature",
    b"\x00{": "UTF-16 without a byte order signature",
}
"""Signatures of unsupported formats, and their names."""
_MAX_SIGNATURE_BYTES = max(map(len, _UNSUPPORTED_SIGNATURES))
_SUPPORTED_FORMATS = "supported are JSON Lines in UTF-8, uncompressed or compressed with gzip or Zstandard"
_OUTPUT_BYTES = 1024 * 1024
_ZSTD_INPUT_BYTES = 256
"""At most some 8 MiB come out of this many bytes, even of crafted ones."""
_ZSTD_WINDOW_BYTES = 128 * 1024 * 1024


def decompress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a stream's contents, decompressed as its first bytes require.

    Raises:
        SourceError: compressed data is damaged or ends early, or the format is not supported.
    """
    rest = iter(chunks)
    beginning = b""
    for chunk in rest:
        beginning += chunk
        if len(beginning) >= _MAX_SIGNATURE_BYTES:
            break
    _reject_unsupported(beginning)
    stream = _chain(beginning, rest)
    if beginning.startswith(_GZIP):
        yield from _gunzip(stream)
    elif beginning.startswith(_ZSTD):
        yield from _unzstd(stream)
    else:
        yield from stream


def _reject_unsupported(beginning: bytes) -> None:
    for signature, name in _UNSUPPORTED_SIGNATURES.items():
        if beginning.startswith(signature):
            raise SourceError(f"the object is {name}; {_SUPPORTED_FORMATS}", "unknown_format", is_final=True)


def _make_damage_error(reason: str) -> SourceError:
    return SourceError(reason, "damaged", is_final=True)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    is_open = False
    for chunk in chunks:
        data, is_full = chunk, False
        while data or is_full:
            if not is_open and not data.strip(b"\0"):
                break  # padding after the last member
            is_open = True
            try:
                output = member.decompress(data, _OUTPUT_BYTES)
            except zlib.error as error:
                raise _make_damage_error(f"not valid gzip: {error}") from error
            yield output
            # Even when all input is consumed, output that did not fit may remain.
            data, is_full = member.unconsumed_tail, len(output) == _OUTPUT_BYTES
            if member.eof:
                data, member, is_open, is_full = member.unused_data, zlib.decompressobj(wbits=31), False, False
    if is_open:
        raise _make_damage_error("the gzip data ends early")


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415  # few objects are compressed with it

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    frame: ZstdDecompressionObj | None = None
    for chunk in chunks:
        for start in range(0, len(chunk), _ZSTD_INPUT_BYTES):
            data = chunk[start : start + _ZSTD_INPUT_BYTES]
            while data:
                frame = frame or decompressor.decompressobj()
                try:
                    yield frame.decompress(data)
                except zstandard.ZstdError as error:
                    raise _make_damage_error(f"not valid Zstandard: {error}") from error
                data = b""
                if frame.eof:
                    data, frame = frame.unused_data, None
    if frame is not None:
        raise _make_damage_error("the Zstandard data ends early")
