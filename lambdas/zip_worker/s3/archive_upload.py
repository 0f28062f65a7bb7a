"""Writing the archive to S3, all or nothing."""

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
from .key_faults import explain_later
from .multipart import (
    CopyRange,
    Part,
    Parts,
    abort_stale_uploads,
    join_checksums,
    name_part,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONTENT_TYPE = "application/zip"
LIFETIME_TAG = "sluice-zip-jobs=archive"
"""By which the bucket's lifecycle rule finds what ends with its job."""
_MEMORY = 64 * 1024 * 1024
"""Most bytes of parts that are being uploaded at one time."""


class ArchiveUpload:
    """One object being written in parts; left without :meth:`complete`, nothing of it stays unless ``keep`` is set.

    Parts may come in any order of their numbers. ``put`` blocks while ``concurrency`` parts are under way, so memory
    stays bounded, and raises what an earlier part's upload raised. Each part carries its CRC-32 for S3 to verify.
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
        parts: Parts | None = None,
        after_copy: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self.parts = parts or Parts()
        self.keep = False
        """Whether somebody may go on with the upload, so that leaving must not abort it."""
        self._is_complete = False
        self._after_copy = after_copy
        self._slots = BoundedSemaphore(max(1, min(concurrency, _MEMORY // part_size)))
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
        # A copy that nobody waits for does no harm to an upload that goes on, and would outlive one that is aborted.
        self._copy_pool.shutdown(wait=not self.keep, cancel_futures=True)
        if self.parts.upload_id and not (self.keep or self._is_complete):
            # What cannot be aborted now is aborted by the job's next worker, or by the bucket's lifecycle rule.
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
        """Wait for all bytes given to :meth:`put` (and all copies) to be with S3; raises what their upload raised."""
        wait(list(self._uploads))
        if copies:
            wait(list(self._copies))
        self._raise_failure()

    def settle_copies(self, seconds: float) -> None:
        """Wait for the copies under way, but no longer than ``seconds``."""
        wait(list(self._copies), timeout=max(0.0, seconds))

    def complete(self, last_number: int, last_data: bytes, runs: Sequence[CopiedRun] = ()) -> StoredObject:
        """Add the last part and make the object visible; one that is a single part takes a single request.

        Raises:
            SourceChangedError: what S3 copied is not what belongs there.
            UploadGoneError: S3 has no such upload any more.
        """
        if last_number == 1:
            return self._put_whole(last_data)
        self.put(last_number, last_data)
        return self.finish(runs)

    def finish(self, runs: Sequence[CopiedRun]) -> StoredObject:
        """Make the object visible, all of whose parts were given; raises like :meth:`complete`."""
        self.drain(copies=True)
        parts = self.parts.done
        crc32, size = join_checksums(parts, runs)
        completed = [name_part(number, part) for number, part in sorted(parts.items())]
        assert self.parts.upload_id is not None  # noqa: S101  # a first part was put, so the upload exists
        try:
            answer = self._s3.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self.parts.upload_id,
                MultipartUpload={"Parts": completed},
            )
        except ClientError as error:
            raise _explain_upload(error) from error
        self._is_complete = True
        return StoredObject(answer["ETag"], answer.get("VersionId"), size, crc32)

    def _put_whole(self, data: bytes) -> StoredObject:
        crc32 = zlib.crc32(data)
        answer = self._s3.put_object(
            Bucket=self._bucket,
            Key=self._key,
            Body=data,
            ContentType=_CONTENT_TYPE,
            Tagging=LIFETIME_TAG,
            ChecksumCRC32=write_checksum(crc32),
        )
        return StoredObject(answer["ETag"], answer.get("VersionId"), len(data), crc32)

    def _find_upload_id(self) -> str:
        if not self.parts.upload_id:
            created = self._s3.create_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                ContentType=_CONTENT_TYPE,
                ChecksumAlgorithm="CRC32",
                Tagging=LIFETIME_TAG,
            )
            self.parts.upload_id = created["UploadId"]
            if created["ResponseMetadata"]["RetryAttempts"]:
                # A try whose answer was lost may have made an upload that nobody knows of.
                abort_stale_uploads(self._s3, self._bucket, self._key, keep=self.parts.upload_id)
        return self.parts.upload_id

    def _upload(self, number: int, data: bytes, upload_id: str) -> None:
        try:
            crc32 = zlib.crc32(data)
            answer = self._s3.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=upload_id,
                PartNumber=number,
                Body=data,
                ChecksumCRC32=write_checksum(crc32),
            )
        except Exception as error:  # noqa: BLE001  # raised by whoever uses the upload next
            self._failure = _explain_upload(error)
            return
        finally:
            self._slots.release()
        self.parts.done[number] = Part(answer["ETag"], len(data), crc32)

    def _submit_copy(self, number: int, copy: CopyRange) -> None:
        """Copy what an earlier worker left to be copied; there are no more of these than the pool has threads."""
        self._copy_slots.acquire()
        self._track(self._copies, self._copy_pool.submit(self._copy, number, copy))

    def _copy(self, number: int, copy: CopyRange) -> None:
        try:
            answer: Any = self._s3.upload_part_copy(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self.parts.upload_id or "",
                PartNumber=number,
                CopySource={"Bucket": copy.bucket, "Key": copy.source.key},
                CopySourceIfMatch=copy.source.etag,
                CopySourceRange=f"bytes={copy.start}-{copy.start + copy.length - 1}",
            )
        except Exception as error:  # noqa: BLE001  # raised by whoever uses the upload next
            self._failure = _explain_copy(error, copy)
            return
        finally:
            self._copy_slots.release()
        result = answer["CopyPartResult"]
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


def _explain_upload(error: Exception) -> Exception:
    if isinstance(error, ClientError) and error.response["Error"]["Code"] in {"NoSuchUpload", "InvalidPart"}:
        return UploadGoneError(f"the upload under way is gone: {error.response['Error']['Code']}")
    return error


def _explain_copy(error: Exception, copy: CopyRange) -> Exception:
    """Return what a refused copy says of its source; the attempt looks whether it was the source or the target."""
    explained = _explain_upload(error)
    if isinstance(error, ClientError) and explained is error and (fault := explain_later(error, copy.source.key)):
        return SourceUnavailableError(fault)
    return explained
