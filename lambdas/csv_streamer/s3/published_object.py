"""Object under a file's key: it appears whole, by one request or by a copy of the joined parts."""

from collections.abc import Mapping
from typing import Any, cast

from botocore.exceptions import ClientError

from csv_streamer.clients import S3
from csv_streamer.exceptions import FileError

from .copier import Copier


async def find_head(s3: S3, address: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what S3 says about an object, None if there is none; ``address``: ``Bucket`` and ``Key``."""
    try:
        return await s3.run(s3.client.head_object, **address)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return None
        raise


class PublishedObject:
    """Makes one object visible, and recognises it."""

    def __init__(self, s3: S3, address: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
        """``address``: ``Bucket`` and ``Key``; ``attributes``: headers, and metadata without the SHA-256."""
        self._s3 = s3
        self._address = address
        self._attributes = attributes

    async def put(self, body: bytes | bytearray, crc32: str, sha256: str) -> None:
        """Store the whole object in one request; S3 checks its CRC-32."""
        await self._s3.run(
            self._s3.client.put_object,
            **self._address,
            **self._describe(sha256),
            Body=cast("bytes", body),  # botocore takes either, its stubs do not say so
            ChecksumCRC32=crc32,
        )

    async def copy(self, source: Mapping[str, Any], etag: str, size: int, part_size: int, sha256: str) -> None:
        """Copy the object at the address ``source``, which has this ETag and ``size`` bytes in parts of ``part_size``.

        Raises:
            FileError: S3 stored something else.
        """
        await Copier(self._s3, source, self._address, etag).copy(size, self._describe(sha256), part_size)
        if await self.find(size) is None:
            raise FileError("S3 copied the object but does not show it", code="s3_error")

    def _describe(self, sha256: str) -> dict[str, Any]:
        return {**self._attributes, "Metadata": {**self._attributes["Metadata"], "sha256": sha256}}

    async def find(self, size: int) -> str | None:
        """Return the SHA-256 of the object, None if this run did not create it.

        Raises:
            FileError: it is there with another size; that version is deleted.
        """
        head = await find_head(self._s3, self._address)
        ours = self._attributes["Metadata"]
        if head is None or head["Metadata"].get("ingestion_time") != ours["ingestion_time"]:
            return None
        if head["ContentLength"] != size:
            version: dict[str, Any] = {"VersionId": head["VersionId"]} if head.get("VersionId") else {}
            await self._s3.run(self._s3.client.delete_object, **self._address, **version)
            reason = f"{size} bytes were received but S3 stored {head['ContentLength']}; deleted"
            raise FileError(reason, code="s3_error")
        sha256: str | None = head["Metadata"].get("sha256")
        return sha256
