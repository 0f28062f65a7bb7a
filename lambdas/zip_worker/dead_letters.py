"""Lambda handler of ``zip-settler``: jobs whose message ended in the dead-letter queue become FAILED.

It runs on a schedule instead of an event source mapping: a message that belongs to no job must stay in the queue, where
people and the alarm can see it. A mapping would make it invisible, deliver it again and again, or delete it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError

from .clients import dynamodb_client, s3_client, sqs_client
from .env import Environment
from .exceptions import MessageRejectedError
from .jobs.dead_jobs import fail_if_dead
from .jobs.messages import parse_job_id
from .jobs.table import Ended
from .logs import make_logger
from .s3.multipart import abort_stale_uploads

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_sqs.type_defs import MessageTypeDef

logger = make_logger("zip_worker")

_VISIBILITY_SECONDS = 90
"""Visibility timeout of a received message: longer than the function runs."""
_STOP_BEFORE_DEADLINE_MS = 15_000


@dataclass(frozen=True, slots=True)
class DeadLetterSettings:
    """The job table and the dead-letter queue."""

    table_name: str
    dlq_url: str

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the settings, raising :class:`~.env.SettingsError` that names every wrong variable."""
        env = Environment(variables)
        settings = cls(env.text("TABLE_NAME"), env.text("DLQ_URL"))
        env.check()
        return settings


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: object, context: LambdaContext) -> dict[str, int]:  # noqa: ARG001  # Lambda's signature
    """Process the dead-letter queue once; the response counts the messages that were settled and left."""
    settings = DeadLetterSettings.from_environment(os.environ)
    left = []
    settled = 0
    for message in _receive_all(settings.dlq_url, context):
        if _resolve(settings.table_name, message):
            sqs_client().delete_message(QueueUrl=settings.dlq_url, ReceiptHandle=message["ReceiptHandle"])
            settled += 1
        else:
            left.append(message["ReceiptHandle"])
    for receipt_handle in left:
        with suppress(ClientError, BotoCoreError):
            sqs_client().change_message_visibility(
                QueueUrl=settings.dlq_url, ReceiptHandle=receipt_handle, VisibilityTimeout=0
            )
    logger.info("dlq_sweep_complete", extra={"settled": settled, "left": len(left)})
    return {"settled": settled, "left": len(left)}


def _receive_all(dlq_url: str, context: LambdaContext) -> Iterator[MessageTypeDef]:
    """Yield the queue's messages until it is empty or the function's time limit is near."""
    while context.get_remaining_time_in_millis() > _STOP_BEFORE_DEADLINE_MS:
        response = sqs_client().receive_message(
            QueueUrl=dlq_url, MaxNumberOfMessages=10, VisibilityTimeout=_VISIBILITY_SECONDS, WaitTimeSeconds=1
        )
        if not response.get("Messages"):
            return
        yield from response["Messages"]


def _resolve(table_name: str, message: MessageTypeDef) -> bool:
    """Fail the message's job if it is dead; return whether the message can be deleted."""
    try:
        job_id = parse_job_id(message["Body"])
        outcome = fail_if_dead(dynamodb_client(), table_name, job_id, message["MessageId"])
    except MessageRejectedError:
        return False
    except (ClientError, BotoCoreError):
        logger.exception("dead_letter_failed", extra={"message_id": message["MessageId"]})
        return False
    match outcome:
        case Ended(status, bucket, key):
            _abort_uploads(job_id, bucket, key)
            if outcome.changed:
                logger.error("job_dead_lettered", extra={"job_id": job_id, "status": status})
            return True
        case _:  # unknown, or not dead: the next round decides
            return False


def _abort_uploads(job_id: str, bucket: str, key: str) -> None:
    """Abort the dead worker's uploads; a bucket that no longer exists must not stop the other jobs."""
    try:
        abort_stale_uploads(s3_client(2), bucket, key)
    except (ClientError, BotoCoreError):
        logger.exception("abort_uploads_failed", extra={"job_id": job_id})
