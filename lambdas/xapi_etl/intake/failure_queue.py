"""The failure queue: copies of messages that failed for the last time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MAX_REASON_LENGTH = 256

type Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a message failed."""

    reason: str
    code: str
    """The reason in one word."""
    is_final: bool
    """Whether the message would fail in the same way on each attempt."""


def copy_message(sqs: SQSClient, queue_url: str, record: Record, failure: Failure, logger: Logger) -> bool:
    """Send a copy of a message with its id and the reason; return whether that succeeded.

    An error is only logged, because the message stays in its queue.
    """
    fields = {"message_id": record["messageId"]}
    try:
        sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=record["body"],
            MessageAttributes={
                "OriginalMessageId": {"DataType": "String", "StringValue": record["messageId"]},
                "FailureReason": {"DataType": "String", "StringValue": clean_reason(failure.reason)},
                "FailureCode": {"DataType": "String", "StringValue": clean_reason(failure.code)},
            },
        )
    except (ClientError, BotoCoreError) as error:
        logger.error("message_not_copied", extra={**fields, "error": str(error)})  # noqa: TRY400  # the stack trace adds nothing
        return False
    fields |= {"reason": failure.reason, "reason_code": failure.code}
    if failure.is_final:
        logger.info("message_dead_lettered", extra=fields)
    else:
        logger.info("message_copied", extra=fields)
    return True


def is_last_receive(record: Record, max_receives: int) -> bool:
    """Return whether this is the last receive before the queue moves the message to its dead-letter queue."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)) == max_receives


def clean_reason(reason: str) -> str:
    """Return a reason as a valid message attribute: not empty, at most 256 characters, no control characters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in reason)
    return printable[:_MAX_REASON_LENGTH] or "unknown"
