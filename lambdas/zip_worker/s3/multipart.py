"""A multipart upload's state, its checksums, and the unfinished uploads of a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zip_worker.archive.crc import combine
from zip_worker.exceptions import SourceChangedError
from zip_worker.schemas import CopiedRun, Source

from .checksums import read_checksum, write_checksum

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


@dataclass(frozen=True, slots=True)
class Part:
    """A part as S3 has it."""

    etag: str
    size: int
    """Bytes."""
    crc32: int | None
    """``None`` if S3 copied the part and did not return it."""


@dataclass(frozen=True, slots=True)
class CopyRange:
    """A range of an object of ``bucket`` that becomes a part."""

    bucket: str
    source: Source
    start: int
    length: int


@dataclass(slots=True)
class MultipartState:
    """An unfinished upload: all that another process needs to continue it."""

    upload_id: str | None = None
    done: dict[int, Part] = field(default_factory=dict)
    copies: dict[int, CopyRange] = field(default_factory=dict)
    """Ranges whose copy was requested or is still to be, without a confirmation so far."""


def join_checksums(parts: Mapping[int, Part], runs: Sequence[CopiedRun]) -> tuple[int, int]:
    """Return CRC-32 and size of the whole object, and check the copied parts whose CRC-32 S3 returned.

    Raises:
        SourceChangedError: a copied part's CRC-32 contradicts that of its member.
    """
    starts = {run.first: run for run in runs}
    crc32 = size = number = 0
    while number < len(parts):
        number += 1
        run = starts.get(number)
        if run is None:
            part = parts[number]
            crc32, size = combine(crc32, part.crc32 or 0, part.size), size + part.size
            continue
        _check_run(run, [parts[copied] for copied in range(run.first, run.last + 1)])
        crc32, size, number = combine(crc32, run.crc32, run.length), size + run.length, run.last
    return crc32, size


def _check_run(run: CopiedRun, parts: Sequence[Part]) -> None:
    crc32 = 0
    for part in parts:
        if part.crc32 is None:
            return
        crc32 = combine(crc32, part.crc32, part.size)
    if crc32 != run.crc32:
        raise SourceChangedError(
            f"{run.key!r} was changed while it was archived: its CRC-32 differs from the one at the survey"
        )


def abort_stale_uploads(s3: S3Client, bucket: str, key: str, keep: str | None = None) -> int:
    """Abort every unfinished upload of ``key`` except ``keep``; return how many there were."""
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
    stale = [upload["UploadId"] for page in pages for upload in page.get("Uploads", []) if upload["Key"] == key]
    stale = [upload_id for upload_id in stale if upload_id != keep]
    for upload_id in stale:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    return len(stale)


def find_parts(s3: S3Client, bucket: str, key: str, parts: MultipartState) -> MultipartState | None:
    """Return ``parts`` as S3 has them now, or ``None`` if the upload no longer exists or has other parts.

    Parts with equal checksums count as equal: a worker that did not know it had lost its lease may have sent the part
    again, which changes its ETag in an encrypted bucket.
    """
    if not parts.upload_id:
        return parts
    found: dict[int, Part] = {}
    try:
        pages = s3.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=parts.upload_id)
        for page in pages:
            for item in page.get("Parts", []):
                crc32 = read_checksum(item.get("ChecksumCRC32"))
                found[item["PartNumber"]] = Part(item["ETag"], item["Size"], crc32)
    except s3.exceptions.NoSuchUpload:
        return None
    done: dict[int, Part] = {}
    for number, part in parts.done.items():
        now = found.get(number)
        if now is None or now.size != part.size or not _is_same(now, part):
            return None
        done[number] = Part(now.etag, part.size, part.crc32)
    return MultipartState(parts.upload_id, done, dict(parts.copies))


def _is_same(now: Part, part: Part) -> bool:
    return now.etag == part.etag or (now.crc32 is not None and now.crc32 == part.crc32)


def describe_part(number: int, part: Part) -> CompletedPartTypeDef:
    """Return a part as CompleteMultipartUpload takes it."""
    named: CompletedPartTypeDef = {"PartNumber": number, "ETag": part.etag}
    if part.crc32 is not None:
        named["ChecksumCRC32"] = write_checksum(part.crc32)
    return named
