"""Upload of one object in concurrent parts; it becomes visible under its key only when complete and checked.

The SHA-256 of a file is known after its last byte, but S3 takes an object's metadata when its upload begins. Therefore
the parts go to an object below ``.csv-streamer/uploads/``, which S3 itself copies to the file's key, with the metadata.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from csv_streamer.clients import S3
from csv_streamer.exceptions import UploadGoneError
from csv_streamer.schemas import STAGING_PREFIX, Part

from .part_sizes import Span
from .published_object import PublishedObject, find_head

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


def make_staging_key(run_id: str, key: str) -> str:
    """Return the staging key under which a run joins the parts of ``key``."""
    return f"{STAGING_PREFIX}{run_id}/{hashlib.sha256(key.encode()).hexdigest()[:16]}/{key.rpartition('/')[2]}"


@dataclass(frozen=True, slots=True)
class Destination:
    """The key and the metadata of an object."""

    bucket: str
    key: str
    staging_key: str
    """Where the parts are joined before they are copied to ``key``."""
    content_type: str
    content_encoding: str | None
    metadata: Mapping[str, str]

    @property
    def address(self) -> dict[str, Any]:
        """Return the arguments that name the object."""
        return {"Bucket": self.bucket, "Key": self.key}

    @property
    def staging(self) -> dict[str, Any]:
        """Return the arguments that name the object below ``.csv-streamer/``."""
        return {"Bucket": self.bucket, "Key": self.staging_key}

    @property
    def attributes(self) -> dict[str, Any]:
        """Return the arguments that describe the object."""
        encoding = {"ContentEncoding": self.content_encoding} if self.content_encoding else {}
        return {"ContentType": self.content_type, "Metadata": dict(self.metadata), **encoding}


class Upload:
    """A multipart upload, begun with its first part; a file of one part is put at once."""

    def __init__(
        self,
        s3: S3,
        destination: Destination,
        logger: Logger,
        upload_id: str | None = None,
        parts: list[Part] | None = None,
    ) -> None:
        """``upload_id`` and ``parts``: what an earlier invocation left."""
        self._s3 = s3
        self._to = destination
        self._object = PublishedObject(s3, destination.address, destination.attributes)
        self._logger = logger
        self._opening = asyncio.Lock()
        self._opened_early: asyncio.Task[str] | None = None
        self._staged: Mapping[str, Any] | None = None
        self.upload_id = upload_id
        self.parts = {part.number: part for part in parts or []}

    def open_early(self) -> None:
        """Start the upload while the first part is still being downloaded."""
        if self._opened_early is None and self.upload_id is None:
            self._opened_early = asyncio.create_task(self._open())
            self._opened_early.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _open(self) -> str:
        async with self._opening:
            if self.upload_id is None:
                self.upload_id = await self._create()
            return self.upload_id

    async def _create(self) -> str:
        self._logger.info("multipart_create_start", extra={"s3_key": self._to.key})
        # FULL_OBJECT: S3 derives the checksum of the whole from the parts', and compares it when it copies the object.
        response = await self._s3.run(
            self._s3.client.create_multipart_upload,
            **self._to.staging,
            **self._to.attributes,
            ChecksumAlgorithm="CRC32",
            ChecksumType="FULL_OBJECT",
        )
        self._logger.info("multipart_create_complete", extra={"s3_key": self._to.key})
        return response["UploadId"]

    async def put_part(self, span: Span, body: bytearray, crc32: str | None = None) -> None:
        """Upload one part; S3 checks its CRC-32, which is computed if it is not given.

        Raises:
            UploadGoneError: the upload no longer exists.
        """
        upload_id = await self._open()
        fields = {"s3_key": self._to.key, "part": span.number, "bytes": len(body)}
        self._logger.debug("part_upload_start", extra=fields)
        checksum = crc32
        if checksum is None:
            checksum = await self._s3.run(compute_crc32, body)
        try:
            response = await self._s3.run(
                self._s3.client.upload_part,
                **self._to.staging,
                UploadId=upload_id,
                PartNumber=span.number,
                Body=cast("bytes", body),  # botocore takes either, its stubs do not say so
                ChecksumCRC32=checksum,
            )
        except ClientError as error:
            _raise_if_gone(error)
            raise
        self.parts[span.number] = Part(span.number, span.start, len(body), response["ETag"], checksum)
        self._logger.debug("part_upload_complete", extra=fields)

    async def put_whole(self, body: bytes | bytearray, sha256: str) -> None:
        """Store a file of at most one part in one request."""
        await self._object.put(body, await self._s3.run(compute_crc32, body), sha256)

    async def publish(self, sha256: str) -> None:
        """Join the parts, and make the object visible under its key.

        Raises:
            UploadGoneError: neither the upload nor its object exists any more.
            FileError: S3 stored something else than was sent.
        """
        staged = await self._complete()
        if staged is None:
            # Published by an invocation that was ended before it could say so.
            if await self.find_published(self.size) is None:
                raise UploadGoneError("the multipart upload no longer exists")
            return
        self._staged = staged
        await self._object.copy(self._to.staging, staged["ETag"], self.size, self.parts[1].size, sha256)
        await self._delete_staged(staged)
        self._logger.info("multipart_complete_done", extra={"s3_key": self._to.key, "parts": len(self.parts)})

    async def _complete(self) -> Mapping[str, Any] | None:
        """Join the parts; return the joined object's ETag and version, None where it is gone."""
        parts = [self.parts[number] for number in sorted(self.parts)]
        try:
            return await self._s3.run(
                self._s3.client.complete_multipart_upload,
                **self._to.staging,
                UploadId=await self._open(),
                MultipartUpload={"Parts": [_name_part(part) for part in parts]},
                MpuObjectSize=self.size,  # S3 refuses to make an object of any other size
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise
        # Or it was completed by a request whose response was lost, and which the client retried.
        head = await find_head(self._s3, self._to.staging)
        return head if head and head["ContentLength"] == self.size else None

    @property
    def size(self) -> int:
        """Return the bytes that S3 has."""
        return sum(part.size for part in self.parts.values())

    async def find_published(self, size: int) -> str | None:
        """Return the SHA-256 of the object under the key; see :meth:`.published_object.PublishedObject.find`."""
        return await self._object.find(size)

    async def _delete_staged(self, staged: Mapping[str, Any]) -> None:
        """Delete the joined object; if that fails, the bucket's lifecycle rule deletes it."""
        options: dict[str, Any] = {"VersionId": staged["VersionId"]} if staged.get("VersionId") else {}
        try:
            await self._s3.run(self._s3.client.delete_object, **self._to.staging, **options)
        except (ClientError, BotoCoreError) as error:
            self._logger.warning("staged_object_kept", extra={"s3_key": self._to.staging_key, "error": str(error)})

    async def abort(self, until: float) -> None:
        """Abort the upload; if that fails, the bucket's lifecycle rule does it.

        ``until``: the event loop's time at which waiting for S3 ends.
        """
        if self.upload_id is None and self._opened_early is None:
            return
        if self._staged:
            await self._delete_staged(self._staged)
            return
        self._logger.info("multipart_abort_start", extra={"s3_key": self._to.key})
        try:
            async with asyncio.timeout_at(until):
                upload_id = await self._open()
                await self._s3.run(self._s3.client.abort_multipart_upload, **self._to.staging, UploadId=upload_id)
        except (ClientError, BotoCoreError, TimeoutError) as error:
            fields = {"s3_key": self._to.key, "error": str(error) or "no response in time"}
            self._logger.warning("multipart_abort_failed", extra=fields)
            return
        self._logger.info("multipart_abort_done", extra={"s3_key": self._to.key})


def _raise_if_gone(error: ClientError) -> None:
    if error.response["Error"]["Code"] == "NoSuchUpload":
        raise UploadGoneError("the multipart upload no longer exists") from error


def compute_crc32(body: bytes | bytearray) -> str:
    """Return the checksum that S3 compares; over HTTPS, botocore would compute it from a copy of the body."""
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def _name_part(part: Part) -> CompletedPartTypeDef:
    return {"PartNumber": part.number, "ETag": part.etag, "ChecksumCRC32": part.crc32}
