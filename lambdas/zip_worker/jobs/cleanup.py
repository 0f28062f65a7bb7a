"""The clean-up: removes from the target bucket what a job that has ended no longer needs.

Nothing here fails a job: the bucket's lifecycle rules remove what these functions miss.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from zip_worker.s3.multipart import abort_stale_uploads
from zip_worker.schemas import Job

from .checkpoint import CheckpointStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def clean_up(s3: S3Client, job: Job) -> None:
    """Remove what a job without an archive leaves."""
    with suppress(ClientError, BotoCoreError):
        abort_stale_uploads(s3, job.target_bucket, job.target_key)
    delete_objects(s3, job.job_id, job.target_bucket, job.key_list_key)


def delete_objects(
    s3: S3Client, job_id: str, bucket: str, key_list_key: str | None, *, has_checkpoint: bool = True
) -> None:
    """Remove the request's key list and, if they may exist, plan and checkpoint."""
    with suppress(ClientError, BotoCoreError):
        if has_checkpoint:
            CheckpointStore(s3, bucket, job_id).delete()
        if key_list_key:
            s3.delete_object(Bucket=bucket, Key=key_list_key)


def delete_report(s3: S3Client, job: Job, report_key: str | None) -> None:
    """Remove the key report if there is one."""
    if report_key:
        with suppress(ClientError, BotoCoreError):
            s3.delete_object(Bucket=job.target_bucket, Key=report_key)
