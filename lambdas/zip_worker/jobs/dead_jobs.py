"""Jobs whose message has reached the dead-letter queue: they become FAILED, unless a worker can still end them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from zip_worker.job_record import DeadMessage, explain_death, fail_dead_job, read_record

from .table import Busy, Ended, Unknown, describe_refusal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def fail_if_dead(dynamodb: DynamoDBClient, table_name: str, job_id: str, message_id: str) -> Busy | Ended | Unknown:
    """Mark a job FAILED that a dead-lettered message proves dead; return what became of the job.

    :func:`~zip_worker.job_record.explain_death` holds the rule. ``Busy`` means that a worker holds the job, another
    message stands for it, or it changed just now: the message's next receive decides.
    """
    now = datetime.now(UTC)
    record = read_record(dynamodb, table_name, job_id)
    reason = explain_death(record, DeadMessage(message_id), now) if record else ""
    if not record or not reason:
        return describe_refusal(record, now.timestamp())
    if fail_dead_job(dynamodb, table_name, record, reason, now) is None:
        return describe_refusal(read_record(dynamodb, table_name, job_id), now.timestamp())
    return Ended("FAILED", record["targetBucket"], record["targetKey"], changed=True)
