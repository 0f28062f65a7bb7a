"""The contents of a dead-letter queue: messages with their copies, and records of failed invocations."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HIDDEN_SECONDS = 900
"""For how long a message that was looked at stays hidden if nobody gives it back."""
_ORIGINAL, _REASON = "OriginalMessageId", "FailureReason"
_RECORD_PREFIX = "data-aggregator-message#"
_READ_BATCH = 100
"""DynamoDB's limit of BatchGetItem."""
_LONGEST = 90
# One may come from servers that have none of the messages.
_EMPTY_ANSWERS = 2


@dataclass
class Letter:
    """A dead letter: the message to redrive, and all messages in the queue that belong to it."""

    message: MessageTypeDef
    copies: list[MessageTypeDef] = field(default_factory=list)
    recorded: str = ""
    """Why it is here, as the data aggregator wrote it into its table."""

    @property
    def reason(self) -> str:
        """The recorded reason of the failure; empty if there is none."""
        for message in (*self.copies, self.message):
            if text := read_attribute(message, _REASON):
                return text
        if self.recorded:
            return self.recorded
        if record := self.invocation:
            answer = record.get("responsePayload") or {}
            condition = record.get("requestContext", {}).get("condition", "")
            said = answer.get("errorMessage") if isinstance(answer, dict) else None
            return f"{condition}: {said}" if said else str(condition)
        return ""

    @property
    def invocation(self) -> dict[str, Any] | None:
        """The record of a failed asynchronous invocation, or None."""
        body = _read_json(self.message["Body"])
        if not isinstance(body, dict) or "requestPayload" not in body:
            return None
        context = body.get("requestContext")
        return body if isinstance(context, dict) and "functionArn" in context else None

    @property
    def subject(self) -> str:
        """A short description of the message."""
        body = self.invocation["requestPayload"] if self.invocation else _read_json(self.message["Body"])
        if isinstance(body, dict):
            if objects := _list_objects(body):
                more = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
                return objects[0] + more
            if "jobId" in body:
                return f"job {body['jobId']}"
        text = " ".join((json.dumps(body) if self.invocation else self.message["Body"]).split())
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

    def has(self, text: str) -> bool:
        """Return whether the body or the reason contains the text."""
        return text in self.message["Body"] or text in self.reason


def take_messages(sqs: SQSClient, queue_url: str, limit: int) -> list[MessageTypeDef]:
    """Receive up to ``limit`` messages; they stay in flight until `give_back` or the visibility timeout."""
    taken: dict[str, MessageTypeDef] = {}
    empty = 0
    while len(taken) < limit and empty < _EMPTY_ANSWERS:
        answer = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=min(10, limit - len(taken)),
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        empty = 0 if messages else empty + 1
        taken |= {message["MessageId"]: message for message in messages}
    return list(taken.values())


def give_back(sqs: SQSClient, queue_url: str, messages: list[MessageTypeDef]) -> None:
    """Make the messages visible again immediately."""
    for start in range(0, len(messages), 10):
        entries = [
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
            for index, message in enumerate(messages[start : start + 10])
        ]
        sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)  # type: ignore[arg-type]


def pair_copies(messages: list[MessageTypeDef]) -> list[Letter]:
    """Match each copy, which has the reason, with its message; a copy without a message represents it."""
    letters: dict[str, Letter] = {}
    copies = []
    for message in messages:
        if is_copy(message):
            copies.append(message)
        else:
            letters[message["MessageId"]] = Letter(message)
    for copy in copies:
        original = read_attribute(copy, _ORIGINAL)
        if original in letters:
            letters[original].copies.append(copy)
        else:
            letters[original] = Letter(copy)
    return list(letters.values())


def is_copy(message: MessageTypeDef) -> bool:
    """Return whether a function sent this message to explain why another one failed."""
    return bool(read_attribute(message, _ORIGINAL))


def read_attribute(message: MessageTypeDef, name: str) -> str:
    """Return a message attribute's text, or an empty string."""
    attribute = message.get("MessageAttributes", {}).get(name)
    return attribute.get("StringValue", "") if attribute else ""


def carry_attributes(message: MessageTypeDef) -> dict[str, Any]:
    """Return the attributes with which a message is redriven."""
    return {
        name: {kind: value for kind, value in attribute.items() if kind in {"DataType", "StringValue", "BinaryValue"}}
        for name, attribute in message.get("MessageAttributes", {}).items()
        if name not in {_ORIGINAL, _REASON}
    }


def read_recorded(dynamodb: DynamoDBClient, table: str, letters: list[Letter]) -> None:
    """Fill in the reasons that the data aggregator recorded, by message id."""
    by_id = {_RECORD_PREFIX + letter.message["MessageId"]: letter for letter in letters}
    for batch in batched(by_id, _READ_BATCH, strict=False):
        waiting: Any = {table: {"Keys": [{"id": {"S": name}} for name in batch]}}
        while waiting:
            answer = dynamodb.batch_get_item(RequestItems=waiting)
            for item in answer["Responses"].get(table, []):
                by_id[item["id"]["S"]].recorded = item.get("reason", {}).get("S", "")
            waiting = answer.get("UnprocessedKeys")


def count_reasons(letters: list[Letter]) -> list[tuple[str, int]]:
    """Count the letters by their reason, the most frequent first."""
    return Counter(letter.reason or "reason not known" for letter in letters).most_common()


def _read_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _list_objects(body: dict[str, Any]) -> list[str]:
    if {"bucket", "key"} <= body.keys():
        return [f"s3://{body['bucket']}/{body['key']}"]
    records = body.get("Records")
    found = [record.get("s3") for record in (records if isinstance(records, list) else []) if isinstance(record, dict)]
    return [
        f"s3://{s3['bucket']['name']}/{unquote_plus(s3['object']['key'])}"
        for s3 in found
        if isinstance(s3, dict) and {"bucket", "object"} <= s3.keys()
    ]
