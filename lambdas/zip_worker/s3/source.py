"""Reading from S3: key lists, surveys of keys, and blocks of objects."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from zip_worker.exceptions import ErrorCode, KeyListError, ShortReadError, SourceUnavailableError
from zip_worker.s3_get import GetObject
from zip_worker.schemas import BlockRequest, KeyFault, Source, Survey

from .checksums import find_crc32
from .key_faults import explain, explain_later, make_fault
from .key_lists import parse_manifest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PAGE = 1000
"""Keys in one answer of ListObjectsV2."""
_FEW = 12
"""Up to here HeadObject per key costs no more than one ListObjectsV2 (request prices are about 1 : 12)."""
_READ_TRIES = 4
_MANIFEST_CHUNK = 64 * 1024
_ARCHIVE_CLASSES = {"GLACIER", "DEEP_ARCHIVE"}
_MAY_BE_ARCHIVED = {*_ARCHIVE_CLASSES, "INTELLIGENT_TIERING"}
"""Of these classes only HeadObject tells whether an object can be read: it may be restored, or in an archive tier."""


class SourceBucket:
    """The bucket that the objects to archive are in."""

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        concurrency: int,
        get_object_fast: GetObject,
        crc32_from: int = 0,
        head_from: int | None = None,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._concurrency = concurrency
        self._get_object_fast = get_object_fast
        self._crc32_from = crc32_from
        """Of objects from this size on their CRC-32 is asked for; 0: of none."""
        self._head_from = head_from
        """Listed objects from this size on are asked for one by one, which tells whether they can be read."""
        self._suspects: set[str] = set()
        """Listed objects of a storage class that may not be readable."""

    def read_manifest(self, key: str) -> Iterator[str]:
        """Yield the keys in a caller's manifest, reading it piece by piece: UTF-8, one a line, blank lines left out.

        Raises:
            KeyListError: the manifest is missing, is not UTF-8 or has a line too long to be a key.
        """
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
        except self._s3.exceptions.NoSuchKey:
            raise KeyListError(f"manifestKey {key!r} does not exist in bucket {self._bucket}") from None
        except ClientError as error:
            fault = explain(error, key)
            if fault is None:
                raise
            raise KeyListError(f"manifestKey {key!r} {fault.detail}", faults=[fault]) from error
        yield from parse_manifest(body.iter_chunks(_MANIFEST_CHUNK), key)

    def list_prefix(self, prefix: str) -> Iterator[Source]:
        """Yield every object under ``prefix``, in key order, without CRC-32."""
        yield from self._list(Prefix=prefix)

    def inspect(self, sources: Sequence[Source]) -> Survey:
        """Return listed sources, with their CRC-32 where that matters and S3 knows it, and which cannot be read."""
        found = self._head_all(source.key for source in sources if self._is_asked_for(source))
        return _sort_out((source.key, found.get(source.key) or source) for source in sources)

    def survey(self, keys: Sequence[str]) -> Survey:
        """Find out size, ETag and time of every key, in the keys' order, and which of them cannot be read.

        Many keys that lie close together are listed, which takes a thousandth of the requests; the others are asked
        for one by one, side by side. So are listed objects of a class that may be archived, and large ones.
        """
        wanted = sorted(set(keys), key=str.encode)
        found: dict[str, Source | KeyFault | None] = {}
        if len(wanted) > _FEW:
            found = dict(self._find_by_listing(wanted))
        found.update(self._head_all(key for key in wanted if key not in found or self._is_asked_for(found[key])))
        return _sort_out((key, found[key]) for key in keys)

    def probe(self, sources: Sequence[Source]) -> list[KeyFault]:
        """Return which of the surveyed objects cannot be read now, by reading a byte of each."""
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="probe") as pool:
            return [fault for fault in pool.map(self._probe, sources) if fault]

    def read_block(self, request: BlockRequest) -> bytes:
        """Return the bytes of one block; a broken read is repeated.

        Raises:
            SourceUnavailableError: the object is not what it was at the survey, or cannot be read at all.
            ShortReadError: S3 sent too few bytes, repeatedly.
        """
        source = request.source
        headers = {"If-Match": source.etag}
        options: dict[str, Any] = {"Bucket": self._bucket, "Key": source.key, "IfMatch": source.etag}
        if not request.is_whole:
            headers["Range"] = options["Range"] = f"bytes={request.start}-{request.start + request.length - 1}"
        answer = self._get_object_fast(self._bucket, source.key, headers, request.length)
        return answer.data if answer else self._read_block_with_care(request, options)

    def _read_block_with_care(self, request: BlockRequest, options: Mapping[str, Any]) -> bytes:
        """Read a block with boto3, which retries and explains."""
        source = request.source
        problem: Exception | None = None
        for _ in range(_READ_TRIES):
            try:
                data = self._s3.get_object(**options)["Body"].read()
            except ClientError as error:
                fault = explain_later(error, source.key)
                if fault:
                    raise SourceUnavailableError(fault) from error
                raise
            except (
                HTTPClientError,
                IncompleteReadError,
            ) as error:  # reset, timeout or early end while the body was read
                problem = error
                continue
            if len(data) == request.length:
                return data
        got = type(problem).__name__ if problem else f"{len(data)} bytes"
        raise ShortReadError(
            f"reading {source.key!r} at byte {request.start}: wanted {request.length} bytes, got {got}"
        )

    def _probe(self, source: Source) -> KeyFault | None:
        options: dict[str, Any] = {"Bucket": self._bucket, "Key": source.key, "IfMatch": source.etag}
        first = "bytes=0-0"
        quick = {"If-Match": source.etag, "Range": first}
        if source.size and self._get_object_fast(self._bucket, source.key, quick, 1):
            return None
        try:
            if source.size:
                self._s3.get_object(**options, Range=first)["Body"].read()
            else:
                self._s3.head_object(**options)
        except ClientError as error:
            fault = explain_later(error, source.key)
            if fault is None:
                raise
            return fault
        return None

    def _find_by_listing(self, wanted: Sequence[str]) -> dict[str, Source | None]:
        """Look the sorted keys up in a listing, as far as that costs less than asking for them one by one."""
        found: dict[str, Source | None] = {}
        prefix = commonprefix(wanted)  # noqa: RUF071  # S3 prefixes are strings, not paths
        encoded = [key.encode() for key in wanted]
        pages_left = 1 + 2 * (len(wanted) // _PAGE)
        after = ""
        next_wanted = 0
        names = set(wanted)
        while next_wanted < len(wanted) and pages_left > 0:
            pages_left -= 1
            page = list(self._list(Prefix=prefix, StartAfter=after, one_page=True))
            found.update((source.key, source) for source in page if source.key in names)
            end = len(wanted) if len(page) < _PAGE else bisect_left(encoded, page[-1].key.encode() + b"\0")
            found.update((key, None) for key in wanted[next_wanted:end] if key not in found)
            next_wanted = end
            after = page[-1].key if page else ""
        return found

    def _list(self, *, one_page: bool = False, **options: str) -> Iterator[Source]:
        given = {name: value for name, value in options.items() if value}
        paginator = self._s3.get_paginator("list_objects_v2")
        limits = {"PageSize": _PAGE, **({"MaxItems": _PAGE} if one_page else {})}
        for page in paginator.paginate(Bucket=self._bucket, **given, PaginationConfig=limits):  # type: ignore[arg-type]
            for item in page.get("Contents", []):
                modified = int(item["LastModified"].timestamp())
                if item.get("StorageClass") in _MAY_BE_ARCHIVED:
                    self._suspects.add(item["Key"])
                yield Source(key=item["Key"], size=item["Size"], etag=item["ETag"], modified=modified)

    def _is_large(self, source: Source) -> bool:
        return 0 < self._crc32_from <= source.size

    def _is_asked_for(self, source: Source | KeyFault | None) -> bool:
        """Say whether a listed source has to be asked for by HeadObject, too."""
        if not isinstance(source, Source):
            return False
        is_suspect = self._head_from is not None and source.size >= self._head_from
        return is_suspect or source.key in self._suspects or self._is_large(source)

    def _head_all(self, keys: Iterable[str]) -> dict[str, Source | KeyFault]:
        wanted = list(keys)
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="head") as pool:
            return dict(zip(wanted, pool.map(self._head, wanted), strict=True))

    def _head(self, key: str) -> Source | KeyFault:
        mode: dict[str, Any] = {"ChecksumMode": "ENABLED"} if self._crc32_from else {}
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key, **mode)
        except ClientError as error:
            fault = explain(error, key)
            if fault is None:
                raise
            return fault
        if _is_archived(head):
            return make_fault(key, ErrorCode.OBJECT_ARCHIVED)
        modified = int(head["LastModified"].timestamp())
        source = Source(key=key, size=head["ContentLength"], etag=head["ETag"], modified=modified)
        if self._is_large(source):
            return replace(source, crc32=find_crc32(self._s3, self._bucket, key, head))
        return source


def _is_archived(head: Mapping[str, Any]) -> bool:
    """Say whether an object has to be restored before it can be read."""
    in_archive = head.get("StorageClass") in _ARCHIVE_CLASSES or head.get("ArchiveStatus")
    return bool(in_archive) and 'ongoing-request="false"' not in head.get("Restore", "")


def _sort_out(found: Iterable[tuple[str, Source | KeyFault | None]]) -> Survey:
    survey = Survey([], [])
    for key, one in found:
        if isinstance(one, Source):
            survey.sources.append(one)
        else:
            survey.faults.append(one or make_fault(key, ErrorCode.OBJECT_MISSING))
    return survey
