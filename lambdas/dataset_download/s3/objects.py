"""Ranges of S3 objects, read on the condition that the ETag is the one seen when the dataset was opened."""

import random
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from dataset_download.exceptions import ObjectChangedError, SourceError, SourceUnreadableError
from dataset_download.runtime.cancellation import check_cancelled
from dataset_download.s3_get import SignedS3Reader

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.1
# botocore's retries do not cover a body that ends early, stalls or is reset.
TRANSIENT_ERRORS = (BotoCoreError, HTTPClientError, HTTPError, IncompleteReadError, OSError)
CHANGED = frozenset({"PreconditionFailed", "412", "NoSuchKey", "404", "InvalidRange", "416"})
"""Error codes of a changed object: overwritten, deleted or shortened."""


@dataclass(frozen=True)
class DataFile:
    """One Parquet file."""

    key: str
    size: int
    etag: str
    """The ETag as S3 returns it, with quotes."""
    last_modified: datetime


class Meter:
    """A thread-safe counter of requests and bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.bytes = 0

    def add(self, size: int) -> None:
        """Count one request that returned `size` bytes."""
        with self._lock:
            self.requests += 1
            self.bytes += size


class RangeReader:
    """Reads ranges of objects, first by the signed reader, then by boto3, which retries and reports errors."""

    def __init__(self, client: "S3Client", bucket: str, signed_reader: SignedS3Reader | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self._signed_reader = signed_reader
        self.meter = Meter()

    def read(self, file: DataFile, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end` (exclusive).

        Raises:
            ObjectChangedError: the object has changed since it was listed.
            SourceUnreadableError: S3 failed on every attempt.
        """
        check_cancelled()
        if (data := self._read_signed(file, start, end)) is not None:
            return data
        reason: Exception | None = None
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            try:
                return self._read_once(file, start, end)
            except ClientError as error:
                reason = _classify_error(error, file)
            except TRANSIENT_ERRORS as error:
                reason = error
        raise SourceUnreadableError(f"{file.key}: bytes {start}-{end - 1} could not be read: {reason}") from reason

    def _read_signed(self, file: DataFile, start: int, end: int) -> bytes | None:
        if self._signed_reader is None:
            return None
        headers = {"Range": f"bytes={start}-{end - 1}", "If-Match": file.etag}
        response = self._signed_reader.get(self._bucket, file.key, headers, end - start)
        if response is None or response.headers.get("ETag") != file.etag:
            return None
        self.meter.add(len(response.data))
        return response.data

    def _read_once(self, file: DataFile, start: int, end: int) -> bytes:
        response = self._client.get_object(
            Bucket=self._bucket, Key=file.key, Range=f"bytes={start}-{end - 1}", IfMatch=file.etag
        )
        # Not every S3-compatible store supports If-Match on a read.
        if response["ETag"] != file.etag:
            raise ObjectChangedError(f"{file.key} was overwritten while it was read")
        with response["Body"] as body:
            data = body.read()
        self.meter.add(len(data))
        if len(data) != end - start:
            raise OSError(f"S3 returned {len(data)} bytes of {end - start} requested")
        return data


def _classify_error(error: ClientError, file: DataFile) -> ClientError:
    """Return an error that is worth a retry; raise the others."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in CHANGED:
        raise ObjectChangedError(f"{file.key} was overwritten or deleted while it was read") from error
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS or code == "SlowDown":
        return error
    raise SourceError(f"{file.key} cannot be read: {code or error}") from error
