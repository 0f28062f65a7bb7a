"""Lambda's event source mapping for the ZIP worker, in one process that can be killed.

Receives messages one at a time, hands them to the handler, and deletes those that it does not give back.
"""

import os

import boto3

from tests.faults.support.context import Context
from zip_worker.app import lambda_handler

SECONDS = float(os.environ.get("INVOCATION_SECONDS", "900"))


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
            context = Context("zip-worker", SECONDS, f"process-{os.getpid()}")
            if not lambda_handler({"Records": [record]}, context)["batchItemFailures"]:
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main()
