"""Messages that fail for the last time: a copy for whoever looks after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_REASON_LENGTH = 256

type Record = Mapping[str, Any]


def copy_message(sqs: SQSClient, queue_url: str, record: Record, reason: str, logger: Logger) -> None:
    """Send a message's body on, with its id and the reason; that this fails is logged, for the message stays."""
    fields = {"message_id": record["messageId"]}
    try:
        sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=record["body"],
            MessageAttributes={
                "OriginalMessageId": {"DataType": "String", "StringValue": record["messageId"]},
                "FailureReason": {"DataType": "String", "StringValue": clean_reason(reason)},
            },
        )
    except (ClientError, BotoCoreError) as error:
        logger.error("message_not_copied", extra={**fields, "error": str(error)})  # noqa: TRY400  # the error says it all
    else:
        logger.info("message_copied", extra={**fields, "reason": reason})


def is_last_receive(record: Record, max_receives: int) -> bool:
    """Tell whether the queue gives a message up after this receive; true for one receive only."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)) == max_receives


def clean_reason(reason: str) -> str:
    """Return a reason as a message attribute takes it: not empty, at most 256 characters, none of them a control."""
    printable = "".join(letter if letter.isprintable() else " " for letter in reason)
    return printable[:_REASON_LENGTH] or "unknown"
