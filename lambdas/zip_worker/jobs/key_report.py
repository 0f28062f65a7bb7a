"""The key report: all keys that a job left out or failed for, if its record has no room for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from zip_worker.job_record import SERVICE_PREFIX
from zip_worker.s3.archive_upload import LIFECYCLE_TAG
from zip_worker.schemas import Job, KeyFault

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_KEYS_IN_RECORD = 100
"""Maximum of keys in the record itself: DynamoDB's items end at 400 KB."""
_SUFFIX = ".keys.jsonl"
_MAX_KEY_BYTES = 1024


def write_report(s3: S3Client, job: Job, faults: Sequence[KeyFault]) -> str | None:
    """Write the report, one JSON object per line, next to the archive; return its key, ``None`` for a short list."""
    if len(faults) <= MAX_KEYS_IN_RECORD:
        return None
    key = f"{job.target_key}{_SUFFIX}"
    if len(key.encode()) > _MAX_KEY_BYTES:
        key = f"{SERVICE_PREFIX}{job.job_id}{_SUFFIX}"
    lines = "".join(json.dumps(asdict(fault), ensure_ascii=False) + "\n" for fault in faults)
    s3.put_object(
        Bucket=job.target_bucket,
        Key=key,
        Body=lines.encode(),
        ContentType="application/x-ndjson",
        Tagging=LIFECYCLE_TAG,
    )
    return key
