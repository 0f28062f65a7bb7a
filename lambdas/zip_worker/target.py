"""Writing the archive to S3, all or nothing."""

from __future__ import annotations

import base64
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import BoundedSemaphore
from types import TracebackType
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError

from .crc import combine
from .schemas import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_CONTENT_TYPE = "application/zip"
_MEMORY = 64 * 1024 * 1024
"""Most bytes of parts that are being uploaded at one time."""


class ArchiveUpload:
    """One object being written in parts; left without :meth:`complete`, nothing of it stays.

    Parts may come in any order of their numbers. ``put`` blocks while ``concurrency`` parts are under way, so memory
    stays bounded, and raises what an earlier part's upload raised. Each part carries its CRC-32 for S3 to verify.
    """

    def __init__(self, s3: S3Client, bucket: str, key: str, *, concurrency: int, part_size: int) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._upload_id: str | None = None
        self._slots = BoundedSemaphore(max(1, min(concurrency, _MEMORY // part_size)))
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="upload")
        self._parts: dict[int, Future[tuple[CompletedPartTypeDef, int, int]]] = {}
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._upload_id:
            # What cannot be aborted now is aborted by the job's next worker, or by the bucket's lifecycle rule.
            with suppress(ClientError, BotoCoreError):
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)

    def put(self, number: int, data: bytes) -> None:
        """Start uploading part ``number`` (from 1)."""
        self._slots.acquire()
        if self._failure:
            raise self._failure
        if not self._upload_id:
            created = self._s3.create_multipart_upload(
                Bucket=self._bucket, Key=self._key, ContentType=_CONTENT_TYPE, ChecksumAlgorithm="CRC32"
            )
            self._upload_id = created["UploadId"]
            if created["ResponseMetadata"]["RetryAttempts"]:
                # A try whose answer was lost may have made an upload that nobody knows of.
                abort_stale_uploads(self._s3, self._bucket, self._key, keep=self._upload_id)
        self._parts[number] = self._pool.submit(self._upload, number, data, self._upload_id)

    def complete(self, last_number: int, last_data: bytes) -> StoredObject:
        """Add the last part and make the object visible; one that is a single part takes a single request."""
        if last_number == 1:
            crc32 = zlib.crc32(last_data)
            answer = self._s3.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=last_data,
                ContentType=_CONTENT_TYPE,
                ChecksumCRC32=_base64(crc32),
            )
            return StoredObject(answer["ETag"], answer.get("VersionId"), len(last_data), crc32)
        if last_data:
            self.put(last_number, last_data)
        return self._complete_multipart()

    def _complete_multipart(self) -> StoredObject:
        crc32 = size = 0
        completed = []
        for _, future in sorted(self._parts.items()):
            part, part_crc32, part_size = future.result()
            crc32 = combine(crc32, part_crc32, part_size)
            size += part_size
            completed.append(part)
        assert self._upload_id is not None  # noqa: S101  # a first part was put, so the upload exists
        answer = self._s3.complete_multipart_upload(
            Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, MultipartUpload={"Parts": completed}
        )
        self._upload_id = None
        return StoredObject(answer["ETag"], answer.get("VersionId"), size, crc32)

    def _upload(self, number: int, data: bytes, upload_id: str) -> tuple[CompletedPartTypeDef, int, int]:
        try:
            crc32 = zlib.crc32(data)
            answer = self._s3.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=upload_id,
                PartNumber=number,
                Body=data,
                ChecksumCRC32=_base64(crc32),
            )
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._slots.release()
        return (
            {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": _base64(crc32)},
            crc32,
            len(data),
        )


def abort_stale_uploads(s3: S3Client, bucket: str, key: str, keep: str = "") -> int:
    """Abort every unfinished upload of ``key`` but ``keep``, left by a worker that died; return how many there were."""
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
    stale = [upload["UploadId"] for page in pages for upload in page.get("Uploads", []) if upload["Key"] == key]
    stale = [upload_id for upload_id in stale if upload_id != keep]
    for upload_id in stale:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    return len(stale)


def _base64(crc32: int) -> str:
    return base64.b64encode(crc32.to_bytes(4, "big")).decode()
