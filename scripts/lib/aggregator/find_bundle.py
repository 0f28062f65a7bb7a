"""Finds the data aggregator's bundle that holds an object."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lib.aggregator.manifests import read_manifest
from lib.common.clients import make_s3_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BUNDLE = ".gz"
_PAUSE_SECONDS = 0.5


def find_bundle(s3: S3Client, bucket: str, source_key: str, prefix: str, read: dict[str, bool]) -> str | None:
    """Return the key of the newest bundle under ``prefix`` that holds ``source_key``; None if none does.

    ``read`` caches manifests: a manifest never changes, so each is read once.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    listed = {item["Key"]: item["LastModified"] for page in pages for item in page.get("Contents", [])}
    bundles = [key for key in listed if key.endswith(_BUNDLE)]
    for bundle in sorted(bundles, key=lambda key: (listed[key], key), reverse=True):
        if bundle not in read:
            manifest = read_manifest(s3, bucket, bundle)
            read[bundle] = any(source["key"] == source_key for source in manifest["sources"])
        if read[bundle]:
            return bundle
    return None


def wait_for_bundle(s3: S3Client, bucket: str, source_key: str, prefix: str, seconds: float) -> str | None:
    """Wait for a bundle that holds the object and return the newest; return None after ``seconds``."""
    deadline = time.monotonic() + seconds
    read: dict[str, bool] = {}
    while True:
        if bundle := find_bundle(s3, bucket, source_key, prefix, read):
            return bundle
        if time.monotonic() >= deadline:
            return None
        time.sleep(_PAUSE_SECONDS)


def main() -> int:
    """Run from the command line; the exit status is 1 if no bundle holds the object."""
    parser = argparse.ArgumentParser(prog="verify_bundles.sh find")
    parser.add_argument("bucket", help=argparse.SUPPRESS)  # the script adds it
    parser.add_argument("source_key")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS")
    chosen = parser.parse_args()
    try:
        found = wait_for_bundle(make_s3_client(), chosen.bucket, chosen.source_key, chosen.prefix, chosen.wait)
    except (ClientError, BotoCoreError, ValueError, KeyError) as error:
        print(f"cannot read the manifests in s3://{chosen.bucket}/{chosen.prefix}: {error}", file=sys.stderr)
        return 1
    if found is None:
        print(f"no bundle in s3://{chosen.bucket}/{chosen.prefix} holds {chosen.source_key}", file=sys.stderr)
        return 1
    print(f"s3://{chosen.bucket}/{found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
