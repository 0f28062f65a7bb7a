"""One object on its way to S3: parts side by side, visible only when complete and as long as it should be."""

from __future__ import annotations

import asyncio
import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from .clients import S3
from .exceptions import FileError, UploadGoneError
from .layout import Span
from .schemas import Part

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an object goes, and what is said of it."""

    bucket: str
    key: str
    content_type: str
    content_encoding: str | None
    metadata: Mapping[str, str]

    @property
    def address(self) -> dict[str, Any]:
        """Return the arguments that name the object."""
        return {"Bucket": self.bucket, "Key": self.key}

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
        self._logger = logger
        self._opening = asyncio.Lock()
        self._opened_early: asyncio.Task[str] | None = None
        self.upload_id = upload_id
        self.parts = {part.number: part for part in parts or []}

    def open_early(self) -> None:
        """Begin the upload now, while its first part is still on its way here."""
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
        # FULL_OBJECT: S3 derives the checksum of the whole from the parts'; others can rely on it (a ZIP that copies
        # the object, for one) without reading the object.
        answer = await self._s3.run(
            self._s3.client.create_multipart_upload,
            **self._to.address,
            **self._to.attributes,
            ChecksumAlgorithm="CRC32",
            ChecksumType="FULL_OBJECT",
        )
        self._logger.info("multipart_create_complete", extra={"s3_key": self._to.key})
        return answer["UploadId"]

    async def put_part(self, span: Span, body: bytearray) -> None:
        """Upload one part; S3 checks its CRC-32.

        Raises:
            UploadGoneError: there is no such upload any more.
        """
        upload_id = await self._open()
        fields = {"s3_key": self._to.key, "part": span.number, "bytes": len(body)}
        self._logger.debug("part_upload_start", extra=fields)
        crc32 = await self._s3.run(_reckon_crc32, body)
        try:
            answer = await self._s3.run(
                self._s3.client.upload_part,
                **self._to.address,
                UploadId=upload_id,
                PartNumber=span.number,
                Body=cast("bytes", body),  # botocore takes either, its stubs do not say so
                ChecksumCRC32=crc32,
            )
        except ClientError as error:
            _raise_if_gone(error)
            raise
        self.parts[span.number] = Part(span.number, span.start, len(body), answer["ETag"], crc32)
        self._logger.debug("part_upload_complete", extra=fields)

    async def put_whole(self, body: bytes | bytearray) -> None:
        """Store a file of at most one part in one request."""
        await self._s3.run(
            self._s3.client.put_object,
            **self._to.address,
            **self._to.attributes,
            Body=cast("bytes", body),
            ChecksumCRC32=await self._s3.run(_reckon_crc32, body),
        )

    async def complete(self) -> None:
        """Make the object visible.

        Raises:
            UploadGoneError: there is no such upload any more.
        """
        parts = [self.parts[number] for number in sorted(self.parts)]
        try:
            await self._s3.run(
                self._s3.client.complete_multipart_upload,
                **self._to.address,
                UploadId=await self._open(),
                MultipartUpload={"Parts": [_name_part(part) for part in parts]},
                MpuObjectSize=self.size,  # S3 refuses to make an object of any other size
            )
        except ClientError as error:
            _raise_if_gone(error)
            raise
        self._logger.info("multipart_complete_done", extra={"s3_key": self._to.key, "parts": len(parts)})

    @property
    def size(self) -> int:
        """Return the bytes that S3 has."""
        return sum(part.size for part in self.parts.values())

    async def is_stored(self, size: int) -> bool:
        """Tell whether the object is there as this very run made it.

        Raises:
            FileError: it is there with another size; that version is deleted.
        """
        try:
            head = await self._s3.run(self._s3.client.head_object, **self._to.address)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                return False
            raise
        if head["Metadata"].get("ingestion_time") != self._to.metadata["ingestion_time"]:
            return False
        if head["ContentLength"] != size:
            version: dict[str, Any] = {"VersionId": head["VersionId"]} if head.get("VersionId") else {}
            await self._s3.run(self._s3.client.delete_object, **self._to.address, **version)
            raise FileError(f"{size} bytes were received but S3 stored {head['ContentLength']}; deleted")
        return True

    async def abort(self, until: float) -> None:
        """Throw away what was uploaded; what fails here is left to the bucket's lifecycle rule.

        ``until``: the event loop's time at which S3's answer is no longer waited for.
        """
        if self.upload_id is None and self._opened_early is None:
            return
        self._logger.info("multipart_abort_start", extra={"s3_key": self._to.key})
        try:
            async with asyncio.timeout_at(until):
                upload_id = await self._open()
                await self._s3.run(self._s3.client.abort_multipart_upload, **self._to.address, UploadId=upload_id)
        except (ClientError, BotoCoreError, TimeoutError) as error:
            fields = {"s3_key": self._to.key, "error": str(error) or "no answer in time"}
            self._logger.warning("multipart_abort_failed", extra=fields)
            return
        self._logger.info("multipart_abort_done", extra={"s3_key": self._to.key})


def _raise_if_gone(error: ClientError) -> None:
    if error.response["Error"]["Code"] == "NoSuchUpload":
        raise UploadGoneError("the multipart upload no longer exists") from error


def _reckon_crc32(body: bytes | bytearray) -> str:
    """Return the checksum that S3 compares; botocore would reckon it from a copy of the body, over HTTPS."""
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def _name_part(part: Part) -> CompletedPartTypeDef:
    return {"PartNumber": part.number, "ETag": part.etag, "ChecksumCRC32": part.crc32}
