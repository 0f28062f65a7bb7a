"""Requests and responses of the fake S3."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.bench.fakes.noise import Slice

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


@dataclass(frozen=True)
class Request:
    """A request whose body has come; header names in lower case."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    size: int = 0
    crc32: int = 0
    body: bytes | None = b""
    """None if it was too large to keep."""


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_seconds: float = 0.0
    """How long S3 would work on it."""


@dataclass(frozen=True)
class Piece:
    """A body as it was received."""

    size: int
    crc32: int
    body: bytes | None
    pattern: Slice | None = None
    """Where the bytes come from that are not kept."""

    @property
    def etag(self) -> str:
        """Return an opaque ETag: an MD5 would cost the fake S3 more than all else."""
        return f'"{self.crc32:08x}-{self.size}"'

    @property
    def checksum(self) -> str:
        """Return the CRC-32 as S3 writes it."""
        return base64.b64encode(self.crc32.to_bytes(4)).decode()

    @property
    def is_kept(self) -> bool:
        """Whether the bytes can be read back."""
        return self.body is not None or self.pattern is not None

    def read(self, start: int, stop: int) -> bytes:
        """Return a range of bytes that are kept."""
        if self.pattern:
            return self.pattern.read(start, stop)
        return (self.body or b"")[start:stop]

    def cut(self, start: int, stop: int) -> Piece:
        """Return a range of bytes that are kept as a piece of its own."""
        if self.pattern:
            pattern = self.pattern.cut(start, stop)
            return Piece(pattern.size, pattern.crc32, None, pattern)
        body = self.read(start, stop)
        return Piece(len(body), zlib.crc32(body), body)


@dataclass(frozen=True)
class Stored:
    """An object."""

    pieces: tuple[Piece, ...]
    headers: Mapping[str, str]

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return sum(piece.size for piece in self.pieces)

    @property
    def etag(self) -> str:
        """Return the ETag."""
        return self.pieces[0].etag if len(self.pieces) == 1 else f'"{self.size:x}-{len(self.pieces)}"'

    def read(self, start: int, stop: int) -> bytes:
        """Return a range of the bytes; raises StoreError if they are not kept."""
        found, position = [], 0
        for piece in self.pieces:
            if position < stop and start < position + piece.size:
                if not piece.is_kept:
                    raise StoreError(HTTPStatus.NOT_IMPLEMENTED, "NotKept")
                found.append(piece.read(max(start - position, 0), min(stop - position, piece.size)))
            position += piece.size
        return b"".join(found)


class StoreError(Exception):
    """An answer that S3 would give as an error: status and code."""

    def __init__(self, status: HTTPStatus, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


def take_body(request: Request) -> Piece:
    """Return what was received; raises StoreError if it is not what was announced."""
    piece = Piece(request.size, request.crc32, request.body)
    if request.headers.get("x-amz-checksum-crc32", piece.checksum) != piece.checksum:
        raise StoreError(HTTPStatus.BAD_REQUEST, "BadDigest")
    return piece


def keep_headers(request: Request) -> dict[str, str]:
    """Return the headers that are stored with an object."""
    kept = ("content-type", "content-encoding")
    return {name: value for name, value in request.headers.items() if name in kept or name.startswith("x-amz-meta-")}


def cut_range(stored: Stored, asked: str, headers: dict[str, str]) -> Reply:
    """Answer a read, or a range of it; raises StoreError for one that is not there."""
    size = stored.size
    match = _RANGE.fullmatch(asked)
    if match is None or not any(match.groups()):
        return Reply(HTTPStatus.OK, headers, stored.read(0, size))
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        raise StoreError(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange")
    headers |= {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return Reply(HTTPStatus.PARTIAL_CONTENT, headers, stored.read(start, stop))


def write_listing(request: Request, found: Mapping[str, Stored | None], *, more: bool) -> str:
    """Return a page of a listing; keys without an object stand for common prefixes."""
    encodes = request.query.get("encoding-type") == "url"
    rows = [f"<Name>{request.bucket}</Name><KeyCount>{len(found)}</KeyCount>"]
    rows.append(f"<IsTruncated>{str(more).lower()}</IsTruncated>")
    if more:
        rows.append(f"<NextContinuationToken>{escape(list(found)[-1])}</NextContinuationToken>")
    if encodes:
        rows.append("<EncodingType>url</EncodingType>")
    for name, stored in found.items():
        text = quote(name) if encodes else escape(name)
        if stored is None:
            rows.append(f"<CommonPrefixes><Prefix>{text}</Prefix></CommonPrefixes>")
        else:
            rows.append(
                f"<Contents><Key>{text}</Key><Size>{stored.size}</Size><ETag>{escape(stored.etag)}</ETag>"
                "<LastModified>2025-10-09T08:53:20.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>"
            )
    return f"<ListBucketResult>{''.join(rows)}</ListBucketResult>"


def answer_xml(text: str, status: HTTPStatus = HTTPStatus.OK) -> Reply:
    """Answer with a document."""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return Reply(status, {"Content-Type": "application/xml"}, (head + text).encode())
