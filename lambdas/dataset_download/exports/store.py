"""The export bucket: a status object per export, and the finished results, shared by all equal requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from dataset_download.request.headers import attach
from dataset_download.request.resolve import ResolvedRequest
from dataset_download.runtime.thread_pools import Pool, get_pool

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from dataset_download.schemas import ExportStatus

_PART = 8 * 1024 * 1024
_PARTS_PER_SIZE = 1000
"""Parts grow by ``_PART`` after this many, so that 10,000 parts reach the largest object that S3 accepts."""
_UPLOAD_CONCURRENCY = 2
"""Part bodies of an export in memory, in addition to the one being made."""
_LOST_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})

type Upload = dict[str, Any]


class ExportTooLongError(Exception):
    """The export did not finish within its time limit."""


@dataclass(frozen=True)
class StoredStatus:
    """A status object as read from S3; ``version`` is its ETag."""

    status: ExportStatus
    version: str

    def is_alive(self, now: datetime) -> bool:
        """Return whether a worker is making the export."""
        return self.status.state == "running" and now < self.status.expires


@dataclass(frozen=True)
class Exports:
    """The export bucket: a status object for each export, and the finished objects."""

    client: S3Client
    bucket: str
    prefix: str

    def find(self, export: str) -> StoredStatus | None:
        """Return the status of an export, or None; an unreadable status counts as failed."""
        try:
            response = self.client.get_object(Bucket=self.bucket, Key=self._status_key(export))
        except ClientError as error:
            if error.response["Error"].get("Code") in _ABSENT:
                return None
            raise
        body = response["Body"].read()
        from pydantic import ValidationError  # noqa: PLC0415

        from dataset_download.schemas import ExportStatus  # noqa: PLC0415  # pydantic takes a fifth of a cold start, and few need it

        try:
            return StoredStatus(ExportStatus.model_validate_json(body), response["ETag"])
        except ValidationError:
            return StoredStatus(_make_unreadable(export), response["ETag"])

    def claim(
        self, resolved: ResolvedRequest, owner: str, seconds: float, replaced: StoredStatus | None
    ) -> StoredStatus | None:
        """Claim an export if its status is still ``replaced``; return None if another worker was faster."""
        from dataset_download.schemas import ExportStatus  # noqa: PLC0415

        now = datetime.now(UTC)
        status = ExportStatus(
            export=resolved.tag,
            state="running",
            dataset=resolved.dataset.name,
            format=resolved.format,
            owner=owner,
            key=f"{self.prefix}{resolved.tag}/{resolved.filename}",
            started=now,
            expires=now + timedelta(seconds=seconds),
        )
        return self.replace(status, replaced)

    def replace(self, status: ExportStatus, stored: StoredStatus | None) -> StoredStatus | None:
        """Write a status if the stored one is unchanged (If-Match); return None if it has changed."""
        condition: Any = {"IfMatch": stored.version} if stored else {"IfNoneMatch": "*"}
        try:
            response = self.client.put_object(
                Bucket=self.bucket,
                Key=self._status_key(status.export),
                Body=status.model_dump_json().encode(),
                ContentType="application/json",
                **condition,
            )
        except ClientError as error:
            if error.response["Error"].get("Code") in _LOST_RACE | _ABSENT:
                return self._find_own_write(status)
            raise
        return StoredStatus(status, response["ETag"])

    def _find_own_write(self, status: ExportStatus) -> StoredStatus | None:
        """Return the status if S3 already has it: the client's retry met its own write, whose response was lost."""
        stored = self.find(status.export)
        return stored if stored and stored.status == status else None

    def holds(self, status: ExportStatus) -> bool:
        """Return whether the finished object still exists; the bucket's lifecycle rule expires it."""
        try:
            self.client.head_object(Bucket=self.bucket, Key=status.key)
        except ClientError as error:
            if error.response["Error"].get("Code") in _ABSENT:
                return False
            raise
        return True

    def write(
        self, resolved: ResolvedRequest, key: str, chunks: Iterable[bytes], check_time: Callable[[], None]
    ) -> int:
        """Upload the chunks as one object, which appears when the upload is completed; return its size in bytes.

        Raises:
            DatasetError, ClientError, BotoCoreError, ExportTooLongError: the upload failed; no object was written.
        """
        upload: Upload = {"Bucket": self.bucket, "Key": key}
        begun = self.client.create_multipart_upload(
            **upload, ContentType=resolved.format.media_type, ContentDisposition=attach(resolved.filename)
        )
        upload["UploadId"] = begun["UploadId"]
        try:
            parts, size = self._upload_parts(upload, chunks, check_time)
            self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            # If this fails too, the lifecycle rule aborts the upload.
            with suppress(ClientError, BotoCoreError):
                self.client.abort_multipart_upload(**upload)
            raise
        return size

    def _upload_parts(
        self, upload: Upload, chunks: Iterable[bytes], check_time: Callable[[], None]
    ) -> tuple[list[Any], int]:
        running: list[Future[Any]] = []
        size = 0
        try:
            for number, body in enumerate(cut_parts(chunks), start=1):
                check_time()
                size += len(body)
                running.append(get_pool(Pool.UPLOADING).submit(self._upload_part, upload, number, body))
                del body
                if number >= _UPLOAD_CONCURRENCY:
                    running[number - _UPLOAD_CONCURRENCY].result()  # bounds the part bodies in memory
            return [future.result() for future in running], size
        finally:
            # No part may arrive after the upload is aborted.
            wait([future for future in running if not future.cancel()])

    def _upload_part(self, upload: Upload, number: int, body: bytes) -> dict[str, Any]:
        response = self.client.upload_part(**upload, PartNumber=number, Body=body)
        checksums = {
            name: value for name, value in response.items() if name.startswith("Checksum") and name != "ChecksumType"
        }
        return {"PartNumber": number, "ETag": response["ETag"], **checksums}

    def _status_key(self, export: str) -> str:
        return f"{self.prefix}{export}.json"


def cut_parts(chunks: Iterable[bytes], part: int = _PART) -> Iterable[bytes]:
    """Yield the chunks as upload parts, at least one; all but the last have at least ``part`` bytes."""
    collected: list[bytes] = []
    size = number = 0
    for chunk in _split_large(chunks, part):
        collected.append(chunk)
        size += len(chunk)
        if size >= part * (1 + number // _PARTS_PER_SIZE):
            yield b"".join(collected)
            collected, size, number = [], 0, number + 1
    if collected or not number:
        yield b"".join(collected)


def _split_large(chunks: Iterable[bytes], largest: int) -> Iterable[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), largest):
            yield chunk[start : start + largest] if len(chunk) > largest else chunk
        del chunk


def _make_unreadable(export: str) -> ExportStatus:
    from dataset_download.schemas import ExportStatus  # noqa: PLC0415

    past = datetime.fromtimestamp(0, UTC)
    return ExportStatus(
        export=export,
        state="failed",
        dataset="unknown",
        format="csv",  # type: ignore[arg-type]  # pydantic makes it a Format
        owner="",
        key="",
        started=past,
        expires=past,
        status=500,
        detail="The status of this export cannot be read.",
    )
