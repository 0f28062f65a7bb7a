"""The objects of the fake S3, and its operations: enough of them for boto3, the AWS CLI and rclone.

Bodies above a limit are received to the last byte and forgotten: size and CRC-32 stay. Others can be read back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus
from itertools import count
from urllib.parse import unquote
from xml.sax.saxutils import escape

from tests.bench.fakes.noise import Pattern, Slice
from tests.bench.fakes.s3_messages import (
    Piece,
    Reply,
    Request,
    Stored,
    StoreError,
    answer_xml,
    cut_range,
    keep_headers,
    take_body,
    write_listing,
)

MIB = 1024 * 1024
_NOW = 1_760_000_000
_PART_NUMBER = re.compile(r"<PartNumber>\s*(\d+)\s*</PartNumber>")
_DELETED_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_PAGE = 1_000
_COPY_RANGE = re.compile(r"bytes=(\d+)-(\d+)", re.ASCII)
COPIED_BYTES_PER_SECOND = 200_000_000
"""Assumed speed of one copy inside S3."""


@dataclass
class Upload:
    """A multipart upload under way."""

    bucket: str
    key: str
    headers: Mapping[str, str]
    parts: dict[int, tuple[Piece, ...]] = field(default_factory=dict)
    """By number; a part that was copied has the pieces of its source."""


class Store:
    """All buckets (any name is one) and the counts of requests by operation."""

    def __init__(self, kept_bytes: int = 2 * MIB, kept_part_bytes: int | None = None) -> None:
        self.kept_bytes = kept_bytes
        """Bodies up to this size are kept."""
        self.kept_part_bytes = kept_bytes if kept_part_bytes is None else kept_part_bytes
        """The same of parts."""
        self.objects: dict[tuple[str, str], Stored] = {}
        self.uploads: dict[str, Upload] = {}
        self.counts: Counter[str] = Counter()
        self.received = 0
        """Bytes of bodies."""
        self.sent = 0
        """Bytes of objects that were read."""
        self._ids = count(1)

    def reset(self) -> None:
        """Forget the counts; objects stay."""
        self.counts.clear()
        self.received = self.sent = 0

    def handle(self, request: Request) -> Reply:
        """Do what a request asks for."""
        name, operate = self._find_operation(request)
        self.counts[name] += 1
        self.received += request.size
        try:
            reply = operate(request)
        except StoreError as error:
            text = f"<Error><Code>{error.code}</Code><Message>{error.code}</Message></Error>"
            return answer_xml(text, error.status)
        self.sent += len(reply.body) if name == "GetObject" else 0
        return reply

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
                "PUT": ("UploadPartCopy", self._copy_part)
                if "x-amz-copy-source" in request.headers
                else ("UploadPart", self._put_part),
                "DELETE": ("AbortMultipartUpload", self._abort),
                "GET": ("ListParts", self._list_parts),
            }
        else:
            table = {
                "PUT": ("CopyObject", self._copy)
                if "x-amz-copy-source" in request.headers
                else ("PutObject", self._put),
                "GET": ("GetObject", self._get),
                "HEAD": ("HeadObject", self._get),
                "DELETE": ("DeleteObject", self._delete),
            }
        return table.get(request.method, ("Unknown", _refuse))

    def _put(self, request: Request) -> Reply:
        place = (request.bucket, request.key)
        if request.headers.get("if-none-match") == "*" and place in self.objects:
            raise StoreError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        if (etag := request.headers.get("if-match")) and (
            place not in self.objects or self.objects[place].etag != etag
        ):
            raise StoreError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        piece = take_body(request)
        self.objects[place] = Stored((piece,), keep_headers(request))
        return Reply(HTTPStatus.OK, {"ETag": piece.etag, "x-amz-checksum-crc32": piece.checksum})

    def _find_source(self, request: Request) -> Stored:
        bucket, _, key = unquote(request.headers["x-amz-copy-source"].lstrip("/")).partition("/")
        source = self.objects.get((bucket, key))
        if source is None:
            raise StoreError(HTTPStatus.NOT_FOUND, "NoSuchKey")
        if request.headers.get("x-amz-copy-source-if-match", source.etag) != source.etag:
            raise StoreError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        return source

    def _copy(self, request: Request) -> Reply:
        source = self._find_source(request)
        copied = Stored(source.pieces, keep_headers(request))
        self.objects[request.bucket, request.key] = copied
        reply = answer_xml(f"<CopyObjectResult><ETag>{escape(copied.etag)}</ETag></CopyObjectResult>")
        return replace(reply, delay_seconds=source.size / COPIED_BYTES_PER_SECOND)

    def _create(self, request: Request) -> Reply:
        upload_id = f"upload-{next(self._ids)}"
        self.uploads[upload_id] = Upload(request.bucket, request.key, keep_headers(request))
        return answer_xml(
            f"<InitiateMultipartUploadResult><Bucket>{request.bucket}</Bucket><Key>{escape(request.key)}</Key>"
            f"<UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
        )

    def _find_upload(self, request: Request) -> Upload:
        upload = self.uploads.get(request.query["uploadId"])
        if upload is None or (upload.bucket, upload.key) != (request.bucket, request.key):
            raise StoreError(HTTPStatus.NOT_FOUND, "NoSuchUpload")
        return upload

    def _put_part(self, request: Request) -> Reply:
        piece = take_body(request)
        if piece.size > self.kept_part_bytes:
            piece = replace(piece, body=None)
        self._find_upload(request).parts[int(request.query["partNumber"])] = (piece,)
        return Reply(HTTPStatus.OK, {"ETag": piece.etag, "x-amz-checksum-crc32": piece.checksum})

    def _copy_part(self, request: Request) -> Reply:
        source = self._find_source(request)
        match = _COPY_RANGE.fullmatch(request.headers.get("x-amz-copy-source-range", f"bytes=0-{source.size - 1}"))
        if match is None or int(match[2]) >= source.size:
            raise StoreError(HTTPStatus.BAD_REQUEST, "InvalidArgument")
        pieces = _cut(source, int(match[1]), int(match[2]) + 1)
        self._find_upload(request).parts[int(request.query["partNumber"])] = pieces
        checksum = f"<ChecksumCRC32>{pieces[0].checksum}</ChecksumCRC32>" if len(pieces) == 1 else ""
        reply = answer_xml(
            f"<CopyPartResult><ETag>{escape(pieces[0].etag)}</ETag><LastModified>2025-10-09T08:53:20.000Z</LastModified>"
            f"{checksum}</CopyPartResult>"
        )
        return replace(reply, delay_seconds=sum(piece.size for piece in pieces) / COPIED_BYTES_PER_SECOND)

    def make(self, bucket: str, key: str, size: int, seed: str) -> None:
        """Put an object of noise there that takes no memory."""
        pattern = Slice(Pattern(seed), 0, size)
        self.objects[bucket, key] = Stored((Piece(size, pattern.crc32, None, pattern),), {})

    def _complete(self, request: Request) -> Reply:
        upload = self._find_upload(request)
        numbers = [int(number) for number in _PART_NUMBER.findall((request.body or b"").decode())]
        if not numbers or numbers != sorted(set(numbers)) or not set(numbers) <= upload.parts.keys():
            raise StoreError(HTTPStatus.BAD_REQUEST, "InvalidPart")
        place = (upload.bucket, upload.key)
        if request.headers.get("if-none-match") == "*" and place in self.objects:
            raise StoreError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        stored = Stored(tuple(piece for number in numbers for piece in upload.parts[number]), upload.headers)
        expected = request.headers.get("x-amz-mp-object-size")
        if expected is not None and int(expected) != stored.size:
            raise StoreError(HTTPStatus.BAD_REQUEST, "InvalidRequest")
        self.objects[place] = stored
        del self.uploads[request.query["uploadId"]]
        return answer_xml(
            f"<CompleteMultipartUploadResult><Bucket>{upload.bucket}</Bucket><Key>{escape(upload.key)}</Key>"
            f"<ETag>{escape(stored.etag)}</ETag></CompleteMultipartUploadResult>"
        )

    def _abort(self, request: Request) -> Reply:
        self._find_upload(request)
        del self.uploads[request.query["uploadId"]]
        return Reply(HTTPStatus.NO_CONTENT)

    def _list_parts(self, request: Request) -> Reply:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(pieces[0].etag)}</ETag>"
            f"<Size>{sum(piece.size for piece in pieces)}</Size>"
            f"<ChecksumCRC32>{pieces[0].checksum}</ChecksumCRC32></Part>"
            for number, pieces in sorted(self._find_upload(request).parts.items())
        )
        return answer_xml(f"<ListPartsResult>{parts}<IsTruncated>false</IsTruncated></ListPartsResult>")

    def _get(self, request: Request) -> Reply:
        stored = self.objects.get((request.bucket, request.key))
        if stored is None:
            raise StoreError(HTTPStatus.NOT_FOUND, "NoSuchKey")
        if request.headers.get("if-match", stored.etag) not in {stored.etag, stored.etag.strip('"'), "*"}:
            raise StoreError(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        headers = {**stored.headers, "ETag": stored.etag, "Last-Modified": formatdate(_NOW, usegmt=True)}
        headers |= {"Accept-Ranges": "bytes"}
        asks = request.headers.get("x-amz-checksum-mode") == "ENABLED" and "range" not in request.headers
        if asks and len(stored.pieces) == 1:
            headers |= {"x-amz-checksum-crc32": stored.pieces[0].checksum, "x-amz-checksum-type": "FULL_OBJECT"}
        if request.method == "HEAD":
            return Reply(HTTPStatus.OK, headers | {"Content-Length": str(stored.size)})
        return cut_range(stored, request.headers.get("range", ""), headers)

    def _delete(self, request: Request) -> Reply:
        self.objects.pop((request.bucket, request.key), None)
        return Reply(HTTPStatus.NO_CONTENT)

    def _delete_many(self, request: Request) -> Reply:
        for key in _DELETED_KEY.findall((request.body or b"").decode()):
            self.objects.pop((request.bucket, key), None)
        return answer_xml("<DeleteResult></DeleteResult>")

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
        return answer_xml(write_listing(request, {name: found[name] for name in names}, more=more))


def _cut(source: Stored, start: int, end: int) -> tuple[Piece, ...]:
    """Return a range of an object: of one piece that is kept, or of whole pieces."""
    if len(source.pieces) == 1 and source.pieces[0].is_kept:
        return (source.pieces[0].cut(start, end),)
    found: list[Piece] = []
    at = 0
    for piece in source.pieces:
        if start <= at and at + piece.size <= end:
            found.append(piece)
        at += piece.size
    if sum(piece.size for piece in found) != end - start:
        raise StoreError(HTTPStatus.BAD_REQUEST, "InvalidArgument")
    return tuple(found)


def _accept(_: Request) -> Reply:
    return Reply(HTTPStatus.OK)


def _locate(_: Request) -> Reply:
    return answer_xml("<LocationConstraint></LocationConstraint>")


def _refuse(_: Request) -> Reply:
    raise StoreError(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented")
