"""Copies within S3, in one request or, for large objects, in parts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from csv_streamer.clients import S3

from .part_sizes import MAX_PART, MAX_PARTS, MIB, Span, cut_known

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MAX_SINGLE_COPY = 1024 * MIB
"""S3 copies up to 5 GiB in one request; parts are copied concurrently."""
_PART = 256 * MIB
_COPY_CONCURRENCY = 8


class Copier:
    """Copies one object; S3 refuses the copy if the source's ETag differs."""

    def __init__(self, s3: S3, source: Mapping[str, Any], destination: Mapping[str, Any], etag: str) -> None:
        """``source`` and ``destination``: ``Bucket`` and ``Key``; ``etag``: the source's."""
        self._s3 = s3
        self._from: dict[str, Any] = {"CopySource": dict(source), "CopySourceIfMatch": etag}
        self._to = destination
        self._turns = asyncio.Semaphore(_COPY_CONCURRENCY)

    async def copy(self, size: int, attributes: Mapping[str, Any], part_size: int = MIB) -> None:
        """Copy ``size`` bytes; ``attributes`` are the new object's metadata and headers.

        ``part_size``: of the source, whose parts are copied several together.
        """
        if size > MAX_SINGLE_COPY:
            least = max(_PART, -(-size // MAX_PARTS))
            await self._copy_parts(size, attributes, -(-least // part_size) * part_size)
            return
        await self._s3.run(
            self._s3.client.copy_object,
            **self._to,
            **self._from,
            **attributes,
            MetadataDirective="REPLACE",
            TaggingDirective="REPLACE",  # there are none, and reading them would need a further permission
            ChecksumAlgorithm="CRC32",
        )

    async def _copy_parts(self, size: int, attributes: Mapping[str, Any], part_size: int) -> None:
        client = self._s3.client
        response = await self._s3.run(
            client.create_multipart_upload,
            **self._to,
            **attributes,
            ChecksumAlgorithm="CRC32",
            ChecksumType="FULL_OBJECT",
        )
        upload: dict[str, Any] = {**self._to, "UploadId": response["UploadId"]}
        try:
            spans = cut_known(size, min(part_size, MAX_PART))
            async with asyncio.TaskGroup() as group:
                copies = [group.create_task(self._copy_part(upload, span)) for span in spans]
            parts = [copy.result() for copy in copies]
            await self._s3.run(
                client.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts}, MpuObjectSize=size
            )
        except BaseExceptionGroup as errors:
            await self._s3.run(client.abort_multipart_upload, **upload)
            raise errors.exceptions[0] from None
        except BaseException:
            await self._s3.run(client.abort_multipart_upload, **upload)
            raise

    async def _copy_part(self, upload: Mapping[str, Any], span: Span) -> CompletedPartTypeDef:
        async with self._turns:
            response = await self._s3.run(
                self._s3.client.upload_part_copy,
                **upload,
                **self._from,
                PartNumber=span.number,
                CopySourceRange=f"bytes={span.start}-{span.end - 1}",
            )
        result = response["CopyPartResult"]
        part: CompletedPartTypeDef = {"PartNumber": span.number, "ETag": result["ETag"]}
        if "ChecksumCRC32" in result:
            part["ChecksumCRC32"] = result["ChecksumCRC32"]
        return part
