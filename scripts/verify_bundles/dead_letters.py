"""Dead letters, which are received, examined and left in the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from data_aggregator.exceptions import MessageRejectedError
from data_aggregator.intake.messages import parse_body

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_VISIBILITY_TIMEOUT_SECONDS = 300
_MAX_EMPTY_RESPONSES = 2
"""A single empty response may come from servers that hold none of the messages."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The objects that dead letters name."""

    messages: dict[tuple[str, str, str | None], str] = field(default_factory=dict)
    """Message id by bucket, key and version, ``None`` for a message that names none."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By message id."""

    def find(self, bucket: str, key: str, version_id: str | None) -> str | None:
        """Return the reason of an object's dead letter, empty if it was not recorded; ``None`` if there is none."""
        message = self.messages.get((bucket, key, version_id)) or self.messages.get((bucket, key, None))
        return None if message is None else self.reasons.get(message, "")


def read_messages(sqs: SQSClient, queue_url: str) -> list[MessageTypeDef]:
    """Return all messages of a queue that can be received now, and make them visible again."""
    taken: dict[str, MessageTypeDef] = {}
    empty = 0
    try:
        while empty < _MAX_EMPTY_RESPONSES:
            answer = sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_VISIBILITY_TIMEOUT_SECONDS,
                WaitTimeSeconds=1,
            )
            messages = answer.get("Messages", [])
            empty = 0 if any(message["MessageId"] not in taken for message in messages) else empty + 1
            taken |= {message["MessageId"]: message for message in messages}
    finally:
        for message in taken.values():
            sqs.change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
    return list(taken.values())


def index_messages(messages: list[MessageTypeDef]) -> dict[tuple[str, str, str | None], str]:
    """Return the message id of each named object; messages that name none are skipped."""
    found: dict[tuple[str, str, str | None], str] = {}
    for message in messages:
        try:
            announced = parse_body(message["Body"])
        except MessageRejectedError:
            continue
        for one in announced.objects:
            found[one.bucket, one.key, one.version_id] = message["MessageId"]
    return found
