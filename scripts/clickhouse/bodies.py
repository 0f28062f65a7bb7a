"""Request bodies, read in blocks, with Content-Length or chunked."""

import zlib
from collections.abc import Iterator
from email.message import Message
from io import BufferedIOBase

from clickhouse.errors import make_error

BLOCK_BYTES = 1 << 18
_MAX_LINE_BYTES = 1 << 16
# Content-Encoding values and ClickHouse's names for them.
COMPRESSIONS = {
    "": "none",
    "identity": "none",
    "gzip": "gzip",
    "x-gzip": "gzip",
    "deflate": "deflate",
    "br": "br",
    "zstd": "zstd",
    "lz4": "lz4",
    "xz": "xz",
    "bz2": "bz2",
    "snappy": "snappy",
}


def find_compression(headers: Message) -> str:
    """Return ClickHouse's name of a body's compression; raises ClickHouseError for an unknown one."""
    encoding = headers.get("Content-Encoding", "").strip().lower()
    if encoding not in COMPRESSIONS:
        raise make_error(48, "NOT_IMPLEMENTED", f"Unknown compression method {encoding}")
    return COMPRESSIONS[encoding]


def read_blocks(source: BufferedIOBase, headers: Message) -> Iterator[bytes]:
    """Yield a body's blocks, none of them empty; raises ConnectionError if the body is truncated."""
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        yield from _read_chunks(source)
    else:
        yield from _read_length(source, int(headers.get("Content-Length", "0")))


def _read_length(source: BufferedIOBase, left: int) -> Iterator[bytes]:
    while left:
        block = source.read(min(left, BLOCK_BYTES))
        if not block:
            raise ConnectionError(f"the body ended {left} bytes early")
        left -= len(block)
        yield block


def _read_chunks(source: BufferedIOBase) -> Iterator[bytes]:
    while size := _read_chunk_size(source):
        yield from _read_length(source, size)
        _read_line(source)
    while _read_line(source):  # trailers
        pass


def _read_chunk_size(source: BufferedIOBase) -> int:
    text = _read_line(source).partition(b";")[0].strip()
    try:
        return int(text, 16)
    except ValueError as error:
        raise ConnectionError(f"invalid chunk size: {text[:20]!r}") from error


def _read_line(source: BufferedIOBase) -> bytes:
    line = source.readline(_MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise ConnectionError("the body ended within a chunk")
    return line.rstrip(b"\r\n")


def compress_gzip(content: bytes) -> bytes:
    """Return bytes as gzip, at the fastest level."""
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(content) + packer.flush()
