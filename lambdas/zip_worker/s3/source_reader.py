"""Reads of the source bucket: blocks of objects, and probes of whether an object can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from zip_worker.exceptions import ShortReadError, SourceUnavailableError
from zip_worker.s3_get import GetObject
from zip_worker.schemas import BlockRequest, KeyFault, Source

from .key_faults import explain_later_error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MAX_READ_ATTEMPTS = 4


class SourceReader:
    """Reads surveyed objects of the source bucket, on the condition that they are unchanged since the survey."""

    def __init__(self, s3: S3Client, bucket: str, concurrency: int, get_object_fast: GetObject) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._concurrency = concurrency
        """Concurrent probes."""
        self._get_object_fast = get_object_fast

    def read_block(self, request: BlockRequest) -> bytes:
        """Return the bytes of one block; a failed read is repeated.

        Raises:
            SourceUnavailableError: the object changed since the survey, or cannot be read.
            ShortReadError: S3 sent too few bytes, repeatedly.
        """
        source = request.source
        headers = {"If-Match": source.etag}
        options: dict[str, Any] = {"Bucket": self._bucket, "Key": source.key, "IfMatch": source.etag}
        if not request.is_whole:
            headers["Range"] = options["Range"] = f"bytes={request.start}-{request.start + request.length - 1}"
        response = self._get_object_fast(self._bucket, source.key, headers, request.length)
        return response.data if response else self._read_block_boto3(request, options)

    def _read_block_boto3(self, request: BlockRequest, options: Mapping[str, Any]) -> bytes:
        """Read a block with boto3, which retries and reports errors in detail."""
        source = request.source
        problem: Exception | None = None
        for _ in range(_MAX_READ_ATTEMPTS):
            try:
                data = self._s3.get_object(**options)["Body"].read()
            except ClientError as error:
                fault = explain_later_error(error, source.key)
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
            f"reading {source.key!r} at byte {request.start}: expected {request.length} bytes, got {got}"
        )

    def probe(self, sources: Sequence[Source]) -> list[KeyFault]:
        """Return which of the surveyed objects cannot be read now, by reading one byte of each."""
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="probe") as pool:
            return [fault for fault in pool.map(self._probe, sources) if fault]

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
            fault = explain_later_error(error, source.key)
            if fault is None:
                raise
            return fault
        return None
