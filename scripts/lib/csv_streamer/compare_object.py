"""Compares the newest object streamed from a URL with the checksum that the sample file server reports."""

from __future__ import annotations

import argparse
import hashlib
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import urlopen

from lib.common.clients import make_s3_client
from lib.common.demo_notes import note

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 2**20


def find_newest(s3: S3Client, bucket: str, name: str) -> str:
    """Return the key of the newest object with that name; keys sort by the date that they contain.

    Raises:
        LookupError: no object has that name.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="raw/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", []) if item["Key"].endswith(f"/{name}")]
    if not keys:
        raise LookupError(f"s3://{bucket}/raw/ holds no {name}")
    return max(keys)


def hash_object(s3: S3Client, bucket: str, key: str) -> str:
    """Return an object's SHA-256, hexadecimal."""
    digest = hashlib.sha256()
    for chunk in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def main() -> int:
    """Run from the command line: ``BUCKET URL``; the exit status is 1 unless the bytes are the same."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bucket")
    parser.add_argument("url")
    chosen = parser.parse_args()
    s3 = make_s3_client()
    parts = urlsplit(chosen.url)
    key = find_newest(s3, chosen.bucket, parts.path.rpartition("/")[2])
    with urlopen(f"{parts.scheme}://{parts.netloc}/sha256{parts.path}?{parts.query}", timeout=120) as answer:  # noqa: S310
        served = answer.read().decode().strip()
    stored = hash_object(s3, chosen.bucket, key)
    if stored != served:
        print(f"s3://{chosen.bucket}/{key} has SHA-256 {stored}, the server sent {served}", file=sys.stderr)
        return 1
    print(f"SHA-256 of both: {stored}")
    note("fact", "Verified", f"s3://{chosen.bucket}/{key} is byte for byte what was served (SHA-256)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
