"""Part transfers: the uploads and the copies of an archive's parts, several at a time."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from zip_worker.exceptions import SourceUnavailableError, UploadGoneError

from .checksums import read_checksum, write_checksum
from .key_faults import explain_later_error
from .multipart import CopyRange, MultipartState, Part

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
"""Maximum bytes of parts in flight."""


class PartTransfers:
    """Sends the parts of one multipart upload in threads, and records those that S3 has in ``parts``.

    :meth:`put` and :meth:`copy` block while as many transfers as allowed are in flight, which bounds the memory, and
    raise the error of an earlier transfer. Each part carries its CRC-32 for S3 to verify.
    """

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        key: str,
        parts: MultipartState,
        *,
        concurrency: int,
        part_size: int,
        copy_concurrency: int,
        after_copy: Callable[[int], None],
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._parts = parts
        self._after_copy = after_copy
        self._slots = BoundedSemaphore(max(1, min(concurrency, _MAX_BYTES_IN_FLIGHT // part_size)))
        self._copy_slots = BoundedSemaphore(copy_concurrency)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="upload")
        self._copy_pool = ThreadPoolExecutor(copy_concurrency, thread_name_prefix="copy")
        self._uploads: set[Future[None]] = set()
        self._copies: set[Future[None]] = set()
        self._failure: Exception | None = None

    def put(self, number: int, data: bytes, upload_id: str) -> None:
        """Start uploading part ``number`` (from 1)."""
        self._acquire(self._slots)
        _track(self._uploads, self._pool.submit(self._upload, number, data, upload_id))

    def copy(self, number: int, copy: CopyRange) -> None:
        """Start copying part ``number``; the upload exists."""
        self._acquire(self._copy_slots)
        self._parts.copies[number] = copy
        _track(self._copies, self._copy_pool.submit(self._copy, number, copy))

    def repeat_copies(self) -> None:
        """Start the copies that an earlier worker left unconfirmed; the pool has a thread for each of them."""
        for number, copy in sorted(self._parts.copies.items()):
            self._copy_slots.acquire()
            _track(self._copies, self._copy_pool.submit(self._copy, number, copy))

    def drain(self, *, copies: bool = False) -> None:
        """Wait until S3 has all bytes given to :meth:`put`, and all copies if asked; raise the error of a transfer."""
        wait(list(self._uploads))
        if copies:
            wait(list(self._copies))
        self._raise_failure()

    def wait_for_copies(self, seconds: float) -> None:
        """Wait for the running copies, at most ``seconds``."""
        wait(list(self._copies), timeout=max(0.0, seconds))

    def stop(self, *, wait_for_copies: bool) -> None:
        """Cancel the transfers that have not started; wait for the running uploads, and the running copies if asked."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._copy_pool.shutdown(wait=wait_for_copies, cancel_futures=True)

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
            self._failure = explain_upload_error(error)
            return
        finally:
            self._slots.release()
        self._parts.done[number] = Part(response["ETag"], len(data), crc32)

    def _copy(self, number: int, copy: CopyRange) -> None:
        try:
            response: Any = self._s3.upload_part_copy(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._parts.upload_id or "",
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
        self._parts.done[number] = Part(result["ETag"], copy.length, read_checksum(result.get("ChecksumCRC32")))
        del self._parts.copies[number]
        self._after_copy(copy.length)

    def _acquire(self, slots: BoundedSemaphore) -> None:
        slots.acquire()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure


def _track(futures: set[Future[None]], future: Future[None]) -> None:
    futures.add(future)
    future.add_done_callback(futures.discard)


def explain_upload_error(error: Exception) -> Exception:
    """Return an :class:`UploadGoneError` if the upload or one of its parts no longer exists, else the error itself."""
    if isinstance(error, ClientError) and error.response["Error"]["Code"] in {"NoSuchUpload", "InvalidPart"}:
        return UploadGoneError(f"the multipart upload no longer exists: {error.response['Error']['Code']}")
    return error


def _explain_copy_error(error: Exception, copy: CopyRange) -> Exception:
    """Return what a rejected copy says about its source; the attempt checks whether source or target is to blame."""
    explained = explain_upload_error(error)
    if isinstance(error, ClientError) and explained is error and (fault := explain_later_error(error, copy.source.key)):
        return SourceUnavailableError(fault)
    return explained
