"""The upload of the archive to S3, all or nothing."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from threading import BoundedSemaphore
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from zip_worker.exceptions import SourceUnavailableError, UploadGoneError
from zip_worker.schemas import CopiedRun, StoredObject

from .checksums import read_checksum, write_checksum
from .key_faults import explain_later_error
from .multipart import (
    CopyRange,
    MultipartState,
    Part,
    abort_stale_uploads,
    describe_part,
    join_checksums,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONTENT_TYPE = "application/zip"
LIFECYCLE_TAG = "sluice-zip-jobs=archive"
"""Marks the objects that the bucket's lifecycle rule deletes with their job."""
_MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
"""Maximum bytes of parts in flight."""


class ArchiveUpload:
    """An object that is written in parts; left without :meth:`complete`, it is aborted unless ``keep`` is set.

    Parts may come in any order of their numbers. ``put`` blocks while ``concurrency`` parts are in flight, which bounds
    the memory, and raises the error of an earlier part's upload. Each part carries its CRC-32 for S3 to verify.
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
        self._after_copy = after_copy
        self._slots = BoundedSemaphore(max(1, min(concurrency, _MAX_BYTES_IN_FLIGHT // part_size)))
        self._copy_slots = BoundedSemaphore(copy_concurrency)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="upload")
        self._copy_pool = ThreadPoolExecutor(copy_concurrency, thread_name_prefix="copy")
        self._uploads: set[Future[None]] = set()
        self._copies: set[Future[None]] = set()
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        for number, copy in sorted(self.parts.copies.items()):
            self._submit_copy(number, copy)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        # Running copies do no harm to an upload that is continued, but would outlive one that is aborted.
        self._copy_pool.shutdown(wait=not self.keep, cancel_futures=True)
        if self.parts.upload_id and not (self.keep or self._is_complete):
            # If this fails, the job's next worker or the bucket's lifecycle rule aborts the upload.
            with suppress(ClientError, BotoCoreError):
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self.parts.upload_id)

    def put(self, number: int, data: bytes) -> None:
        """Start uploading part ``number`` (from 1)."""
        self._acquire(self._slots)
        upload_id = self._find_upload_id()
        self._track(self._uploads, self._pool.submit(self._upload, number, data, upload_id))

    def copy(self, number: int, copy: CopyRange) -> None:
        """Start copying part ``number``."""
        self._acquire(self._copy_slots)
        self._find_upload_id()
        self.parts.copies[number] = copy
        self._track(self._copies, self._copy_pool.submit(self._copy, number, copy))

    def drain(self, *, copies: bool = False) -> None:
        """Wait until S3 has all bytes given to :meth:`put`, and all copies if asked; raise the error of an upload."""
        wait(list(self._uploads))
        if copies:
            wait(list(self._copies))
        self._raise_failure()

    def wait_for_copies(self, seconds: float) -> None:
        """Wait for the running copies, at most ``seconds``."""
        wait(list(self._copies), timeout=max(0.0, seconds))

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
            raise _explain_upload_error(error) from error
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

    def _upload(self, number: int, data: bytes, upload_id: str) -> None:
        try:
            crc32 = zlib.crc32(data)
            response = self._s3.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=upload_id,
                PartNumber=number,
                Body=data,
                ChecksumCRC32=write_checksum(crc32),
            )
        except Exception as error:  # noqa: BLE001  # raised by the next use of the upload
            self._failure = _explain_upload_error(error)
            return
        finally:
            self._slots.release()
        self.parts.done[number] = Part(response["ETag"], len(data), crc32)

    def _submit_copy(self, number: int, copy: CopyRange) -> None:
        """Copy a range that an earlier worker left; the pool has a thread for each of them."""
        self._copy_slots.acquire()
        self._track(self._copies, self._copy_pool.submit(self._copy, number, copy))

    def _copy(self, number: int, copy: CopyRange) -> None:
        try:
            response: Any = self._s3.upload_part_copy(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self.parts.upload_id or "",
                PartNumber=number,
                CopySource={"Bucket": copy.bucket, "Key": copy.source.key},
                CopySourceIfMatch=copy.source.etag,
                CopySourceRange=f"bytes={copy.start}-{copy.start + copy.length - 1}",
            )
        except Exception as error:  # noqa: BLE001  # raised by the next use of the upload
            self._failure = _explain_copy_error(error, copy)
            return
        finally:
            self._copy_slots.release()
        result = response["CopyPartResult"]
        self.parts.done[number] = Part(result["ETag"], copy.length, read_checksum(result.get("ChecksumCRC32")))
        del self.parts.copies[number]
        self._after_copy(copy.length)

    def _acquire(self, slots: BoundedSemaphore) -> None:
        slots.acquire()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure

    @staticmethod
    def _track(futures: set[Future[None]], future: Future[None]) -> None:
        futures.add(future)
        future.add_done_callback(futures.discard)


def _explain_upload_error(error: Exception) -> Exception:
    if isinstance(error, ClientError) and error.response["Error"]["Code"] in {"NoSuchUpload", "InvalidPart"}:
        return UploadGoneError(f"the multipart upload no longer exists: {error.response['Error']['Code']}")
    return error


def _explain_copy_error(error: Exception, copy: CopyRange) -> Exception:
    """Return what a rejected copy says about its source; the attempt checks whether source or target is to blame."""
    explained = _explain_upload_error(error)
    if isinstance(error, ClientError) and explained is error and (fault := explain_later_error(error, copy.source.key)):
        return SourceUnavailableError(fault)
    return explained
