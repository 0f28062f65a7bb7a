"""CRC-32 values that S3 stores with an object, so that nobody has to read the object."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from zip_worker.archive.crc import combine

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

_ATTRIBUTES_UNAVAILABLE = {"AccessDenied", "NotImplemented", "MethodNotAllowed"}
"""A bucket policy may allow reading an object but not its attributes, and not every store implements them."""


def find_crc32(s3: S3Client, bucket: str, key: str, head: HeadObjectOutputTypeDef) -> int | None:
    """Return the CRC-32 of an object's bytes, or ``None`` if S3 has another checksum or none.

    Args:
        s3: the client.
        bucket: the object's.
        key: the object's.
        head: the response of HeadObject with ``ChecksumMode=ENABLED``.
    """
    checksum = head.get("ChecksumCRC32")
    if not checksum:
        return None
    kind: str | None = head.get("ChecksumType")
    # For an object that was uploaded in parts it may be the checksum of the parts' checksums.
    if "-" not in checksum and (kind == "FULL_OBJECT" or (not kind and "-" not in head["ETag"])):
        return read_checksum(checksum)
    try:
        return _join_parts(s3, bucket, key, head)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ATTRIBUTES_UNAVAILABLE:
            return None
        raise


def _join_parts(s3: S3Client, bucket: str, key: str, head: HeadObjectOutputTypeDef) -> int | None:
    """Return the CRC-32 of the object, combined from those of its parts; ``None`` if one is missing."""
    crc32 = size = 0
    for part_crc32, part_size in _list_parts(s3, bucket, key, head["ETag"]):
        if part_crc32 is None:
            return None
        crc32, size = combine(crc32, part_crc32, part_size), size + part_size
    return crc32 if size == head["ContentLength"] else None


def _list_parts(s3: S3Client, bucket: str, key: str, etag: str) -> Iterator[tuple[int | None, int]]:
    """Yield CRC-32 and size of each part; nothing if the object was replaced meanwhile."""
    marker = 0
    while True:
        response = s3.get_object_attributes(
            Bucket=bucket, Key=key, ObjectAttributes=["ETag", "ObjectParts"], PartNumberMarker=marker, MaxParts=1000
        )
        if response.get("ETag", "").strip('"') != etag.strip('"'):
            return
        parts = response.get("ObjectParts", {})
        for part in parts.get("Parts", []):
            yield read_checksum(part.get("ChecksumCRC32")), part["Size"]
        if not parts.get("IsTruncated"):
            return
        marker = parts["NextPartNumberMarker"]


def read_checksum(value: str | None) -> int | None:
    """Return the CRC-32 in S3's notation; ``None`` if there is none, or it covers the parts' checksums."""
    return int.from_bytes(base64.b64decode(value)) if value and "-" not in value else None


def write_checksum(crc32: int) -> str:
    """Return a CRC-32 in S3's notation."""
    return base64.b64encode(crc32.to_bytes(4, "big")).decode()
