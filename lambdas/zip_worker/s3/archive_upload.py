"""The upload of the archive to S3, all or nothing."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError

from zip_worker.schemas import CopiedRun, StoredObject

from .checksums import write_checksum
from .multipart import CopyRange, MultipartState, abort_stale_uploads, describe_part, join_checksums
from .part_transfers import PartTransfers, explain_upload_error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONTENT_TYPE = "application/zip"
LIFECYCLE_TAG = "sluice-zip-jobs=archive"
"""Marks the objects that the bucket's lifecycle rule deletes with their job."""


class ArchiveUpload:
    """An object that is written in parts; left without :meth:`complete`, it is aborted unless ``keep`` is set.

    Parts may come in any order of their numbers. ``put`` blocks while ``concurrency`` parts are in flight, and raises
    the error of an earlier part's upload.
    """

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        key: str,
        *,
        concurrency: int,
        part_size: int,
        copy_concurrency: int = 1,
        parts: MultipartState | None = None,
        after_copy: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self.parts = parts or MultipartState()
        self.keep = False
        """Whether another worker may continue the upload; leaving does not abort it then."""
        self._is_complete = False
        self._transfers = PartTransfers(
            s3,
            bucket,
            key,
            self.parts,
            concurrency=concurrency,
            part_size=part_size,
            copy_concurrency=copy_concurrency,
            after_copy=after_copy,
        )

    def __enter__(self) -> Self:
        self._transfers.repeat_copies()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Running copies do no harm to an upload that is continued, but would outlive one that is aborted.
        self._transfers.stop(wait_for_copies=not self.keep)
        if self.parts.upload_id and not (self.keep or self._is_complete):
            # If this fails, the job's next worker or the bucket's lifecycle rule aborts the upload.
            with suppress(ClientError, BotoCoreError):
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self.parts.upload_id)

    def put(self, number: int, data: bytes) -> None:
        """Start uploading part ``number`` (from 1)."""
        self._transfers.put(number, data, self._find_upload_id())

    def copy(self, number: int, copy: CopyRange) -> None:
        """Start copying part ``number``."""
        self._find_upload_id()
        self._transfers.copy(number, copy)

    def drain(self, *, copies: bool = False) -> None:
        """Wait until S3 has all bytes given to :meth:`put`, and all copies if asked; raise the error of an upload."""
        self._transfers.drain(copies=copies)

    def wait_for_copies(self, seconds: float) -> None:
        """Wait for the running copies, at most ``seconds``."""
        self._transfers.wait_for_copies(seconds)

    def complete(self, last_number: int, last_data: bytes, runs: Sequence[CopiedRun] = ()) -> StoredObject:
        """Add the last part and make the object visible; an object of one part takes one request.

        Raises:
            SourceChangedError: a copied part has the wrong CRC-32.
            UploadGoneError: the upload no longer exists.
        """
        if last_number == 1:
            return self._put_whole(last_data)
        self.put(last_number, last_data)
        return self.finish(runs)

    def finish(self, runs: Sequence[CopiedRun]) -> StoredObject:
        """Make the object visible once all parts were given; raise as :meth:`complete` does."""
        self.drain(copies=True)
        parts = self.parts.done
        crc32, size = join_checksums(parts, runs)
        completed = [describe_part(number, part) for number, part in sorted(parts.items())]
        assert self.parts.upload_id is not None  # noqa: S101  # a first part was put, so the upload exists
        try:
            response = self._s3.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self.parts.upload_id,
                MultipartUpload={"Parts": completed},
            )
        except ClientError as error:
            raise explain_upload_error(error) from error
        self._is_complete = True
        return StoredObject(response["ETag"], response.get("VersionId"), size, crc32)

    def _put_whole(self, data: bytes) -> StoredObject:
        crc32 = zlib.crc32(data)
        response = self._s3.put_object(
            Bucket=self._bucket,
            Key=self._key,
            Body=data,
            ContentType=_CONTENT_TYPE,
            Tagging=LIFECYCLE_TAG,
            ChecksumCRC32=write_checksum(crc32),
        )
        return StoredObject(response["ETag"], response.get("VersionId"), len(data), crc32)

    def _find_upload_id(self) -> str:
        if not self.parts.upload_id:
            created = self._s3.create_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                ContentType=_CONTENT_TYPE,
                ChecksumAlgorithm="CRC32",
                Tagging=LIFECYCLE_TAG,
            )
            self.parts.upload_id = created["UploadId"]
            if created["ResponseMetadata"]["RetryAttempts"]:
                # An attempt whose response was lost may have created another upload.
                abort_stale_uploads(self._s3, self._bucket, self._key, keep=self.parts.upload_id)
        return self.parts.upload_id
