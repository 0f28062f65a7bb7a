"""What the stand-in for S3 keeps, and its operations: enough of them for boto3, the AWS CLI and rclone.

Bodies above a limit are received to the last byte and forgotten: size and CRC-32 stay. Others can be read back.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from itertools import count
from urllib.parse import quote
from xml.sax.saxutils import escape

MIB = 1024 * 1024
_NOW = 1_760_000_000
_PART_NUMBER = re.compile(r"<PartNumber>\s*(\d+)\s*</PartNumber>")
_DELETED_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_PAGE = 1_000


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


@dataclass(frozen=True)
class Piece:
    """A body as it was received."""

    size: int
    crc32: int
    body: bytes | None

    @property
    def etag(self) -> str:
        """Return an opaque ETag: an MD5 would cost the stand-in more than all else."""
        return f'"{self.crc32:08x}-{self.size}"'

    @property
    def checksum(self) -> str:
        """Return the CRC-32 as S3 writes it."""
        return base64.b64encode(self.crc32.to_bytes(4)).decode()


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


@dataclass
class Upload:
    """A multipart upload under way."""

    bucket: str
    key: str
    headers: Mapping[str, str]
    parts: dict[int, Piece] = field(default_factory=dict)


class StoreError(Exception):
    """An answer that S3 would give as an error: status and code."""

    def __init__(self, status: HTTPStatus, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Store:
    """All buckets (any name is one) and the counts of requests by operation."""

    def __init__(self, kept_bytes: int = 2 * MIB) -> None:
        self.kept_bytes = kept_bytes
        """Bodies up to this size are kept."""
        self.objects: dict[tuple[str, str], Stored] = {}
        self.uploads: dict[str, Upload] = {}
        self.counts: Counter[str] = Counter()
        self.received = 0
        """Bytes of bodies."""
        self._ids = count(1)

    def reset(self) -> None:
        """Forget the counts; objects stay."""
        self.counts.clear()
        self.received = 0

    def handle(self, request: Request) -> Reply:
        """Do what a request asks for."""
        name, operate = self._find_operation(request)
        self.counts[name] += 1
        self.received += request.size
        try:
            return operate(request)
        except StoreError as error:
            text = f"<Error><Code>{error.code}</Code><Message>{error.code}</Message></Error>"
            return _answer_xml(text, error.status)

    def _find_operation(self, request: Request) -> tuple[str, Callable[[Request], Reply]]:
        query = request.query
        table: dict[str, tuple[str, Callable[[Request], Reply]]]
        if not request.key:
            table = {
                "GET": ("ListObjectsV2", self._list),
                "HEAD": ("HeadBucket", _accept),
                "PUT": ("CreateBucket", _accept),
                "POST": ("DeleteObjects", self._delete_many),
            }
            if request.method == "GET" and "location" in query:
                return "GetBucketLocation", _locate
        elif "uploadId" in query or "uploads" in query:
            table = {
                "POST": ("CompleteMultipartUpload", self._complete)
                if "uploadId" in query
                else ("CreateMultipartUpload", self._create),
                "PUT": ("UploadPart", self._put_part),
                "DELETE": ("AbortMultipartUpload", self._abort),
                "GET": ("ListParts", self._list_parts),
            }
        else:
            table = {
                "PUT": ("PutObject", self._put),
                "GET": ("GetObject", self._get),
                "HEAD": ("HeadObject", self._get),
                "DELETE": ("DeleteObject", self._delete),
            }
        return table.get(request.method, ("Unknown", _refuse))

    def _put(self, request: Request) -> Reply:
        place = (request.bucket, request.key)
        if "x-amz-copy-source" in request.headers:
            raise StoreError(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented")
        if request.headers.get("if-none-match") == "*" and place in self.objects:
            raise StoreError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        piece = _take(request)
        self.objects[place] = Stored((piece,), _keep_headers(request))
        return Reply(HTTPStatus.OK, {"ETag": piece.etag, "x-amz-checksum-crc32": piece.checksum})

    def _create(self, request: Request) -> Reply:
        upload_id = f"upload-{next(self._ids)}"
        self.uploads[upload_id] = Upload(request.bucket, request.key, _keep_headers(request))
        return _answer_xml(
            f"<InitiateMultipartUploadResult><Bucket>{request.bucket}</Bucket><Key>{escape(request.key)}</Key>"
            f"<UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
        )

    def _find_upload(self, request: Request) -> Upload:
        upload = self.uploads.get(request.query["uploadId"])
        if upload is None or (upload.bucket, upload.key) != (request.bucket, request.key):
            raise StoreError(HTTPStatus.NOT_FOUND, "NoSuchUpload")
        return upload

    def _put_part(self, request: Request) -> Reply:
        piece = _take(request)
        self._find_upload(request).parts[int(request.query["partNumber"])] = piece
        return Reply(HTTPStatus.OK, {"ETag": piece.etag, "x-amz-checksum-crc32": piece.checksum})

    def _complete(self, request: Request) -> Reply:
        upload = self._find_upload(request)
        numbers = [int(number) for number in _PART_NUMBER.findall((request.body or b"").decode())]
        if not numbers or numbers != sorted(set(numbers)) or not set(numbers) <= upload.parts.keys():
            raise StoreError(HTTPStatus.BAD_REQUEST, "InvalidPart")
        place = (upload.bucket, upload.key)
        if request.headers.get("if-none-match") == "*" and place in self.objects:
            raise StoreError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        stored = Stored(tuple(upload.parts[number] for number in numbers), upload.headers)
        expected = request.headers.get("x-amz-mp-object-size")
        if expected is not None and int(expected) != stored.size:
            raise StoreError(HTTPStatus.BAD_REQUEST, "InvalidRequest")
        self.objects[place] = stored
        del self.uploads[request.query["uploadId"]]
        return _answer_xml(
            f"<CompleteMultipartUploadResult><Bucket>{upload.bucket}</Bucket><Key>{escape(upload.key)}</Key>"
            f"<ETag>{escape(stored.etag)}</ETag></CompleteMultipartUploadResult>"
        )

    def _abort(self, request: Request) -> Reply:
        self._find_upload(request)
        del self.uploads[request.query["uploadId"]]
        return Reply(HTTPStatus.NO_CONTENT)

    def _list_parts(self, request: Request) -> Reply:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(piece.etag)}</ETag><Size>{piece.size}</Size></Part>"
            for number, piece in sorted(self._find_upload(request).parts.items())
        )
        return _answer_xml(f"<ListPartsResult>{parts}<IsTruncated>false</IsTruncated></ListPartsResult>")

    def _get(self, request: Request) -> Reply:
        stored = self.objects.get((request.bucket, request.key))
        if stored is None:
            raise StoreError(HTTPStatus.NOT_FOUND, "NoSuchKey")
        if request.headers.get("if-match", stored.etag) not in {stored.etag, stored.etag.strip('"'), "*"}:
            raise StoreError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        headers = {**stored.headers, "ETag": stored.etag, "Last-Modified": formatdate(_NOW, usegmt=True)}
        headers |= {"Accept-Ranges": "bytes"}
        if request.method == "HEAD":
            return Reply(HTTPStatus.OK, headers | {"Content-Length": str(stored.size)})
        if any(piece.body is None for piece in stored.pieces):
            raise StoreError(HTTPStatus.NOT_IMPLEMENTED, "NotKept")
        return _cut(b"".join(piece.body or b"" for piece in stored.pieces), request.headers.get("range", ""), headers)

    def _delete(self, request: Request) -> Reply:
        self.objects.pop((request.bucket, request.key), None)
        return Reply(HTTPStatus.NO_CONTENT)

    def _delete_many(self, request: Request) -> Reply:
        for key in _DELETED_KEY.findall((request.body or b"").decode()):
            self.objects.pop((request.bucket, key), None)
        return _answer_xml("<DeleteResult></DeleteResult>")

    def _list(self, request: Request) -> Reply:
        prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
        after = request.query.get("continuation-token") or request.query.get("start-after", "")
        found: dict[str, Stored | None] = {}
        for (bucket, key), stored in self.objects.items():
            if bucket == request.bucket and key.startswith(prefix) and key > after:
                end = key.find(delimiter, len(prefix)) if delimiter else -1
                found[key if end < 0 else key[: end + len(delimiter)]] = stored if end < 0 else None
        limit = int(request.query.get("max-keys", _PAGE))
        names = sorted(found)[:limit]
        more = len(found) > limit
        return _answer_xml(_write_listing(request, {name: found[name] for name in names}, more=more))


def _take(request: Request) -> Piece:
    piece = Piece(request.size, request.crc32, request.body)
    if request.headers.get("x-amz-checksum-crc32", piece.checksum) != piece.checksum:
        raise StoreError(HTTPStatus.BAD_REQUEST, "BadDigest")
    return piece


def _keep_headers(request: Request) -> dict[str, str]:
    kept = ("content-type", "content-encoding")
    return {name: value for name, value in request.headers.items() if name in kept or name.startswith("x-amz-meta-")}


def _cut(content: bytes, asked: str, headers: dict[str, str]) -> Reply:
    match = _RANGE.fullmatch(asked)
    if match is None or not any(match.groups()):
        return Reply(HTTPStatus.OK, headers, content)
    first, last = match.groups()
    start = int(first) if first else max(len(content) - int(last), 0)
    stop = min(int(last) + 1, len(content)) if first and last else len(content)
    if start >= stop:
        raise StoreError(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange")
    headers |= {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
    return Reply(HTTPStatus.PARTIAL_CONTENT, headers, content[start:stop])


def _write_listing(request: Request, found: Mapping[str, Stored | None], *, more: bool) -> str:
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


def _answer_xml(text: str, status: HTTPStatus = HTTPStatus.OK) -> Reply:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return Reply(status, {"Content-Type": "application/xml"}, (head + text).encode())


def _accept(_: Request) -> Reply:
    return Reply(HTTPStatus.OK)


def _locate(_: Request) -> Reply:
    return _answer_xml("<LocationConstraint></LocationConstraint>")


def _refuse(_: Request) -> Reply:
    raise StoreError(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented")
