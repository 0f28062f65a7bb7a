"""Lambda's event source mapping for the xAPI ETL, in one process that can be killed.

Receives a few messages, hands them to the handler, and deletes those that it does not give back. What it has received
stands in the file ``HELD``, so that whoever kills it can give the messages back. ``KILL_AT``, such as
``insert-sent 2``, has the process kill itself at the n-th time that it gets there.
"""

import itertools
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3

from tests.faults.support.context import Context
from xapi_etl.app import lambda_handler
from xapi_etl.aws_clients import get_session
from xapi_etl.clickhouse.http_client import ClickHouse

INVOCATION_SECONDS = 30.0
BATCH = int(os.environ["BATCH"])
RETURN_SECONDS = 1


def die(*_: object, **__: object) -> None:
    """End at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def count_down(number: int) -> Callable[[], bool]:
    """Return a function that is true at its n-th call."""
    calls = itertools.count(1)
    return lambda: next(calls) == number


def arm(step: str, number: int) -> None:
    """Have the process killed when it gets to a step."""
    is_time = count_down(number)
    if step == "object-read":

        def look_at_time(**_: object) -> None:
            if is_time():
                die()

        get_session().events.register("after-call.s3.GetObject", look_at_time)
        return
    look, insert = ClickHouse.query, ClickHouse.insert

    def query(self: ClickHouse, *arguments: Any) -> str:
        answer = look(self, *arguments)
        if step == "looked" and is_time():
            die()
        return answer

    def send(self: ClickHouse, *arguments: Any) -> None:
        now = is_time()
        if step == "insert-sent" and now:
            threading.Timer(float(os.environ["KILL_AFTER"]), die).start()
        insert(self, *arguments)
        if step == "inserted" and now:
            die()

    ClickHouse.query, ClickHouse.insert = query, send  # type: ignore[method-assign,assignment]


def main() -> None:
    """Work until killed."""
    if os.environ.get("KILL_AT"):
        step, count = os.environ["KILL_AT"].split()
        arm(step, int(count))
    sqs = boto3.client("sqs")
    queue_url = os.environ["QUEUE_URL"]
    held = Path(os.environ["HELD"])
    for number in itertools.count():
        records = receive(sqs, queue_url)
        if not records:
            continue
        held.write_text(json.dumps([record["receiptHandle"] for record in records]))
        context = Context("xapi-etl", INVOCATION_SECONDS, f"process-{os.getpid()}-{number}")
        answer = lambda_handler({"Records": records}, context)
        returned = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for record in records:
            handle = record["receiptHandle"]
            # After the visibility timeout the message is another worker's: Lambda's poller goes on, too.
            with suppress(sqs.exceptions.ReceiptHandleIsInvalid):
                if record["messageId"] in returned:
                    sqs.change_message_visibility(
                        QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=RETURN_SECONDS
                    )
                else:
                    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=handle)
        held.unlink()


def receive(sqs: Any, queue_url: str) -> list[dict[str, Any]]:
    """Return a batch of records."""
    answer = sqs.receive_message(
        QueueUrl=queue_url, AttributeNames=["All"], MaxNumberOfMessages=BATCH, WaitTimeSeconds=1
    )
    return [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "eventSource": "aws:sqs",
        }
        for message in answer.get("Messages", [])
    ]


if __name__ == "__main__":
    main()
