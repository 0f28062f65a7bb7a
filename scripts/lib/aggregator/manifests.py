"""The data aggregator's manifests: their keys and their content."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "_manifests/"
SUFFIX = ".manifest.json"
_GZIP = b"\x1f\x8b"


def name_manifest(bundle: str) -> str:
    """Return the key of a bundle's manifest."""
    return PREFIX + bundle.removesuffix(".gz") + SUFFIX


def name_bundle_of(manifest: str) -> str:
    """Return the key of the bundle that belongs to a manifest's key."""
    return manifest.removeprefix(PREFIX).removesuffix(SUFFIX) + ".gz"


def read_manifest(s3: S3Client, bucket: str, bundle: str) -> dict[str, Any]:
    """Return a bundle's manifest; earlier versions stored it next to the bundle, uncompressed."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=name_manifest(bundle))
    except s3.exceptions.NoSuchKey:
        answer = s3.get_object(Bucket=bucket, Key=name_manifest(bundle).removeprefix(PREFIX))
    raw = answer["Body"].read()
    manifest: dict[str, Any] = json.loads(gzip.decompress(raw) if raw.startswith(_GZIP) else raw)
    return manifest
