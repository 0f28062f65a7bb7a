"""Writes the body of a ``POST /zip-jobs`` for a prefix, or for the whole bucket.

A prefix is sent as it is: the service lists it. The whole bucket has no prefix, so its keys are listed here; where
they are too many for a request they become a manifest object, whose key is printed for its removal.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lib.common.clients import make_s3_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MANIFESTS = ".manifests/"
_BODY_LIMIT_BYTES = 4_000_000
"""Lambda takes 6 MB, in which the body's quotes count twice."""


class NothingToArchiveError(ValueError):
    """No object matches the prefix."""


def build_request(s3: S3Client, prefix: str, variables: dict[str, str]) -> tuple[dict[str, object], str | None]:
    """Return the request and the key of its manifest object, if it needs one.

    Raises:
        NothingToArchiveError: no object matches.
    """
    bucket = variables["SRC_BUCKET"]
    request: dict[str, object] = {"sourceBucket": bucket, "targetBucket": variables["DST_BUCKET"]}
    if variables.get("DST_PREFIX"):
        request["targetPrefix"] = variables["DST_PREFIX"]
    if prefix:
        if not s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"):
            raise NothingToArchiveError(
                f"no objects under s3://{bucket}/{prefix}; scripts/bulk_upload.sh puts some there"
            )
        return {**request, "prefix": prefix}, None
    keys = list(_list_keys(s3, bucket, _own_prefixes(variables)))
    if not keys:
        raise NothingToArchiveError(f"no objects in s3://{bucket}; scripts/bulk_upload.sh puts some there")
    with_keys = {**request, "keys": keys}
    if len(json.dumps(with_keys)) <= int(variables.get("ZIP_BODY_LIMIT_BYTES") or _BODY_LIMIT_BYTES):
        return with_keys, None
    manifest = f"{_MANIFESTS}{uuid.uuid4()}.txt"
    s3.put_object(Bucket=bucket, Key=manifest, Body="\n".join(keys).encode())
    return {**request, "manifestKey": manifest}, manifest


def _own_prefixes(variables: dict[str, str]) -> tuple[str, ...]:
    """Return the service's own prefixes in the source bucket: manifests, and archives if they share the bucket."""
    if variables["DST_BUCKET"] != variables["SRC_BUCKET"]:
        return (_MANIFESTS,)
    return (_MANIFESTS, ".zip-jobs/", variables.get("DST_PREFIX") or "zips/")


def _list_keys(s3: S3Client, bucket: str, left_out: tuple[str, ...]) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            if not entry["Key"].startswith(left_out):
                yield entry["Key"]


def main() -> int:
    """Run from the command line: ``PREFIX BODY_FILE``."""
    prefix, body_file = sys.argv[1:]
    try:
        request, manifest = build_request(make_s3_client(), prefix, dict(os.environ))
    except (NothingToArchiveError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    Path(body_file).write_text(json.dumps(request), encoding="utf-8")
    if manifest:
        print(manifest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
