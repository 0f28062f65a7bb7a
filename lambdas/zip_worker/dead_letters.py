"""The settler's Lambda handler: jobs whose message ended in the dead-letter queue become FAILED.

It runs on a schedule instead of being fed by the queue: a message that belongs to no job has to stay where a human
and the alarm can see it, and an event source mapping would hide it, hand it out again and again, or delete it.
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

_LOOK_SECONDS = 90
"""How long a message is hidden while it is looked at: longer than the function runs."""
_STOP_BEFORE_DEADLINE_MS = 15_000


@dataclass(frozen=True, slots=True)
class SettlerSettings:
    """Where the jobs and their dead letters are."""

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
    """Go once through the dead-letter queue; the answer counts messages settled and left."""
    settings = SettlerSettings.from_environment(os.environ)
    left = []
    settled = 0
    for message in _receive_all(settings.dlq_url, context):
        if _settle(settings.table_name, message):
            sqs_client().delete_message(QueueUrl=settings.dlq_url, ReceiptHandle=message["ReceiptHandle"])
            settled += 1
        else:
            left.append(message["ReceiptHandle"])
    for receipt_handle in left:
        with suppress(ClientError, BotoCoreError):
            sqs_client().change_message_visibility(
                QueueUrl=settings.dlq_url, ReceiptHandle=receipt_handle, VisibilityTimeout=0
            )
    logger.info("dead_letters_seen", extra={"settled": settled, "left": len(left)})
    return {"settled": settled, "left": len(left)}


def _receive_all(dlq_url: str, context: LambdaContext) -> Iterator[MessageTypeDef]:
    """Yield the queue's messages until it is empty or the time runs short."""
    while context.get_remaining_time_in_millis() > _STOP_BEFORE_DEADLINE_MS:
        answer = sqs_client().receive_message(
            QueueUrl=dlq_url, MaxNumberOfMessages=10, VisibilityTimeout=_LOOK_SECONDS, WaitTimeSeconds=1
        )
        if not answer.get("Messages"):
            return
        yield from answer["Messages"]


def _settle(table_name: str, message: MessageTypeDef) -> bool:
    """Settle one message's job; false if the message has to stay."""
    try:
        job_id = parse_job_id(message["Body"])
        answer = fail_if_dead(dynamodb_client(), table_name, job_id, message["MessageId"])
    except MessageRejectedError:
        return False
    except (ClientError, BotoCoreError):
        logger.exception("dead_letter_failed", extra={"message_id": message["MessageId"]})
        return False
    match answer:
        case Ended(status, bucket, key):
            _abort_uploads(job_id, bucket, key)
            if answer.changed:
                logger.error("job_dead_lettered", extra={"job_id": job_id, "status": status})
            return True
        case _:  # unknown, or held by a duplicate message's worker: the next round will see how that went
            return False


def _abort_uploads(job_id: str, bucket: str, key: str) -> None:
    """Abort what the dead worker left; a bucket that is gone by now must not stop the others' jobs."""
    try:
        abort_stale_uploads(s3_client(2), bucket, key)
    except (ClientError, BotoCoreError):
        logger.exception("uploads_left", extra={"job_id": job_id})
