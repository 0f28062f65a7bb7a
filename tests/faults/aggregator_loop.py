"""What Lambda's event source mapping does for the data aggregator, in one process that can be killed.

Receives a few messages, hands them to the handler, and deletes those that it does not give back. ``KILL_AT``,
such as ``after-call.s3.UploadPart 2``, has the process kill itself at the n-th of these calls.
"""

import itertools
import os
import signal
import time
from contextlib import suppress
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from data_aggregator import clients
from data_aggregator.app import lambda_handler

RECEIVES = 2
INVOCATION_SECONDS = float(os.environ["INVOCATION_SECONDS"])


class Context(LambdaContext):
    """An invocation whose time runs."""

    _function_name = "data-aggregator"
    _memory_limit_in_mb = 1024
    _invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:data-aggregator"

    def __init__(self, number: int) -> None:
        self._aws_request_id = f"process-{os.getpid()}-{number}"
        self._deadline = time.monotonic() + INVOCATION_SECONDS

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # a static method there
        """Return what is left."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def arm(kill_at: str) -> None:
    """Have the process killed at a call of its own."""
    event, number = kill_at.split()
    calls = itertools.count(1)

    def die(**_: object) -> None:
        if next(calls) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    clients._session().events.register(event, die)


def main() -> None:
    """Work until killed."""
    if os.environ.get("KILL_AT"):
        arm(os.environ["KILL_AT"])
    sqs = boto3.client("sqs")
    queue_url = os.environ["QUEUE_URL"]
    print("up", flush=True)
    for number in itertools.count():
        records = receive(sqs, queue_url)
        if not records:
            continue
        answer = lambda_handler({"Records": records}, Context(number))
        returned = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in returned:
                # After the visibility timeout the message is another worker's: Lambda's poller goes on, too.
                with suppress(sqs.exceptions.ReceiptHandleIsInvalid):
                    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=record["receiptHandle"])


def receive(sqs: Any, queue_url: str) -> list[dict[str, Any]]:
    """Return a batch of records."""
    records: list[dict[str, Any]] = []
    for _ in range(RECEIVES):
        answer = sqs.receive_message(
            QueueUrl=queue_url, AttributeNames=["All"], MaxNumberOfMessages=10, WaitTimeSeconds=0 if records else 1
        )
        records += [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
            }
            for message in answer.get("Messages", [])
        ]
    return records


if __name__ == "__main__":
    main()
