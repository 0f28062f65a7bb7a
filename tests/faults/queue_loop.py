"""What Lambda's event source mapping does for the ZIP worker, in one process that can be killed.

Receives messages one at a time, hands them to the handler, and deletes those that it does not give back.
"""

import os
import time

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from zip_worker.app import lambda_handler

SECONDS = float(os.environ.get("INVOCATION_SECONDS", "900"))
STEPS = int(os.environ.get("INVOCATION_STEPS", "1000000000"))
"""After so many steps, each of which asks for the time, the limit is near: on any machine at the same place."""
NEAR_MS = 5000


class Context(LambdaContext):
    """An invocation that may take ``SECONDS``."""

    _function_name = "zip-worker"
    _memory_limit_in_mb = 1024
    _invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:zip-worker"
    _aws_request_id = f"process-{os.getpid()}"

    def __init__(self) -> None:
        self._ends = time.monotonic() + SECONDS
        self._steps = 0

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # a static method there
        """Return what is left of the invocation's time."""
        self._steps += 1
        left = max(0, int((self._ends - time.monotonic()) * 1000))
        return left if self._steps <= STEPS else min(left, NEAR_MS)


def main() -> None:
    """Work until killed."""
    sqs = boto3.client("sqs")
    queue_url = os.environ["QUEUE_URL"]
    print("up", flush=True)
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, AttributeNames=["All"], WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            if not lambda_handler({"Records": [record]}, Context())["batchItemFailures"]:
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main()
