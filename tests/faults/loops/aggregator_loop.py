"""Lambda's event source mapping for the data aggregator, in one process that can be killed.

Receives a few messages, hands them to the handler, and deletes those that it does not give back. ``KILL_AT``,
such as ``after-call.s3.UploadPart 2``, has the process kill itself at the n-th of these calls.
"""

import itertools
import os
import signal
from contextlib import suppress
from typing import Any

import boto3

from data_aggregator.app import lambda_handler
from data_aggregator.aws_clients import get_session
from tests.faults.support.context import Context

RECEIVES = 2
INVOCATION_SECONDS = float(os.environ["INVOCATION_SECONDS"])


def arm(kill_at: str) -> None:
    """Kill the process at one of its calls."""
    event, number = kill_at.split()
    calls = itertools.count(1)

    def die(**_: object) -> None:
        if next(calls) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    get_session().events.register(event, die)


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
        context = Context("data-aggregator", INVOCATION_SECONDS, f"process-{os.getpid()}-{number}")
        answer = lambda_handler({"Records": records}, context)
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
