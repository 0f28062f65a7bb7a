"""Invokes a function with large batches of a queue's messages, as an event source mapping with a batching window does.

The offline stack delivers at most ten messages per batch, whatever the configured size. On AWS nothing is done.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lib.common.settings import is_loopback

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

_MAX_RECEIVED = 10
_RECEIVERS = 4

type Record = dict[str, Any]


class FunctionFailedError(RuntimeError):
    """The function raised an error, whose message this has."""


def receive(sqs: SQSClient, queue_url: str, most: int) -> Iterator[Record]:
    """Yield the queue's messages as SQS event records, at most ``most``, until the queue is empty."""

    def receive_some(_: int) -> Sequence[Any]:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=_MAX_RECEIVED, AttributeNames=["All"], WaitTimeSeconds=1
        )
        return answer.get("Messages", [])

    received = 0
    with ThreadPoolExecutor(_RECEIVERS) as pool:
        while received < most:
            found = [message for some in pool.map(receive_some, range(_RECEIVERS)) for message in some]
            if not found:
                return
            received += len(found)
            for message in found:
                yield {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message.get("Attributes", {}),
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                }


def hand_over(functions: LambdaClient, function: str, records: Sequence[Record]) -> list[Record]:
    """Invoke the function with one batch; return the messages that it processed.

    Raises:
        FunctionFailedError: the function raised an error.
    """
    answer = functions.invoke(FunctionName=function, Payload=json.dumps({"Records": records}).encode())
    payload = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise FunctionFailedError(f"{function}: {payload.get('errorMessage', payload)}")
    returned = {failure["itemIdentifier"] for failure in payload["batchItemFailures"]}
    return [record for record in records if record["messageId"] not in returned]


def delete(sqs: SQSClient, queue_url: str, records: Sequence[Record]) -> None:
    """Delete messages, ten at a time."""
    for some in batched(records, _MAX_RECEIVED, strict=False):
        entries = [{"Id": str(place), "ReceiptHandle": record["receiptHandle"]} for place, record in enumerate(some)]
        sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)  # type: ignore[arg-type]


def main() -> int:
    """Run from the command line: ``QUEUE_URL FUNCTION COUNT``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("queue_url")
    parser.add_argument("function")
    parser.add_argument("count", type=int, help="how many messages to expect at most")
    parser.add_argument("--batch", type=int, default=1000)
    chosen = parser.parse_args()
    if not is_loopback(os.environ.get("AWS_ENDPOINT_URL", "")):
        return 0
    sqs = boto3.client("sqs")
    functions = boto3.client("lambda", config=Config(read_timeout=300, retries={"total_max_attempts": 1}))
    try:
        for records in batched(receive(sqs, chosen.queue_url, chosen.count), chosen.batch, strict=False):
            print(f"   a batch of {len(records)} messages", flush=True)
            delete(sqs, chosen.queue_url, hand_over(functions, chosen.function, records))
    except (ClientError, BotoCoreError, FunctionFailedError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
