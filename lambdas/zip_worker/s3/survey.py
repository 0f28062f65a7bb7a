"""The survey of the source bucket: which objects a job's keys name, and which of them cannot be read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from zip_worker.exceptions import ErrorCode, KeyListError
from zip_worker.schemas import KeyFault, Source, Survey

from .checksums import find_crc32
from .key_faults import explain_error, make_fault
from .key_lists import parse_manifest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PAGE = 1000
"""Keys in one response of ListObjectsV2."""
_MAX_KEYS_WITHOUT_LISTING = 12
"""Up to this number, HeadObject for each key costs no more than one ListObjectsV2 (prices are about 1 : 12)."""
_MANIFEST_CHUNK = 64 * 1024
_ARCHIVE_CLASSES = {"GLACIER", "DEEP_ARCHIVE"}
_MAY_BE_ARCHIVED = {*_ARCHIVE_CLASSES, "INTELLIGENT_TIERING"}
"""For these classes only HeadObject shows whether an object can be read: it may be restored, or in an archive tier."""


class Surveyor:
    """Finds the objects to archive in the source bucket by ListObjectsV2 and HeadObject, without reading them."""

    def __init__(
        self, s3: S3Client, bucket: str, concurrency: int, crc32_from: int = 0, head_from: int | None = None
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._concurrency = concurrency
        self._crc32_from = crc32_from
        """Minimum size of objects whose CRC-32 is looked up, bytes; 0: none."""
        self._head_from = head_from
        """Minimum size of listed objects that get a HeadObject, which shows whether they can be read."""
        self._suspects: set[str] = set()
        """Listed objects of a storage class that may be unreadable."""

    def read_manifest(self, key: str) -> Iterator[str]:
        """Yield the keys of a caller's manifest, streamed: UTF-8, one per line, without blank lines.

        Raises:
            KeyListError: the manifest does not exist, is not UTF-8 or has a line too long for a key.
        """
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
        except self._s3.exceptions.NoSuchKey:
            raise KeyListError(f"manifestKey {key!r} does not exist in bucket {self._bucket}") from None
        except ClientError as error:
            fault = explain_error(error, key)
            if fault is None:
                raise
            raise KeyListError(f"manifestKey {key!r} {fault.detail}", faults=[fault]) from error
        yield from parse_manifest(body.iter_chunks(_MANIFEST_CHUNK), key)

    def list_prefix(self, prefix: str) -> Iterator[Source]:
        """Yield every object under ``prefix``, in key order, without CRC-32."""
        yield from self._list(Prefix=prefix)

    def inspect(self, sources: Sequence[Source]) -> Survey:
        """Return listed sources, with their CRC-32 if needed and known, and the faults."""
        found = self._head_all(source.key for source in sources if self._needs_head(source))
        return _separate_faults((source.key, found.get(source.key) or source) for source in sources)

    def survey(self, keys: Sequence[str]) -> Survey:
        """Return size, ETag and time of every key, in the keys' order, and which of them cannot be read.

        Many neighbouring keys are found by listing, which takes a thousandth of the requests. The others get one
        HeadObject each, concurrently, as do listed objects that are large or of a class that may be archived.
        """
        wanted = sorted(set(keys), key=str.encode)
        found: dict[str, Source | KeyFault | None] = {}
        if len(wanted) > _MAX_KEYS_WITHOUT_LISTING:
            found = dict(self._find_by_listing(wanted))
        found.update(self._head_all(key for key in wanted if key not in found or self._needs_head(found[key])))
        return _separate_faults((key, found[key]) for key in keys)

    def _find_by_listing(self, wanted: Sequence[str]) -> dict[str, Source | None]:
        """Look the sorted keys up in listings, as long as that costs less than a HeadObject for each."""
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

    def _needs_head(self, source: Source | KeyFault | None) -> bool:
        """Return whether a listed source needs a HeadObject, too."""
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
            fault = explain_error(error, key)
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
    """Return whether an object must be restored before it can be read."""
    in_archive = head.get("StorageClass") in _ARCHIVE_CLASSES or head.get("ArchiveStatus")
    return bool(in_archive) and 'ongoing-request="false"' not in head.get("Restore", "")


def _separate_faults(found: Iterable[tuple[str, Source | KeyFault | None]]) -> Survey:
    survey = Survey([], [])
    for key, one in found:
        if isinstance(one, Source):
            survey.sources.append(one)
        else:
            survey.faults.append(one or make_fault(key, ErrorCode.OBJECT_MISSING))
    return survey
