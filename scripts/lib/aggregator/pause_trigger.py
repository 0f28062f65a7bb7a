"""Disables or enables the event source mappings of a queue: ``hold QUEUE_URL``, ``release QUEUE_URL``.

The offline stack delivers each message at once. On AWS an event source mapping waits for a batch to
fill; holding the messages back until all are there comes to the same. On AWS itself nothing is done.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lib.common.settings import is_loopback

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_SECONDS = 30.0


def switch(functions: LambdaClient, queue_arn: str, *, on: bool) -> None:
    """Enable or disable a queue's event source mappings, and wait for the change.

    Raises:
        TimeoutError: the state did not change within 30 s.
    """
    wanted = "Enabled" if on else "Disabled"
    mappings = functions.list_event_source_mappings(EventSourceArn=queue_arn)["EventSourceMappings"]
    for mapping in mappings:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)
    deadline = time.monotonic() + _SECONDS
    for mapping in mappings:
        while functions.get_event_source_mapping(UUID=mapping["UUID"])["State"] != wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the event source mapping of {queue_arn} is not {wanted} after {_SECONDS:.0f} s")
            time.sleep(0.1)


def main() -> int:
    """Run from the command line: ``hold|release QUEUE_URL``."""
    what, queue_url = sys.argv[1:]
    if not is_loopback(os.environ.get("AWS_ENDPOINT_URL", "")):
        return 0
    try:
        attributes = boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        switch(boto3.client("lambda"), attributes["Attributes"]["QueueArn"], on=what == "release")
    except (ClientError, BotoCoreError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
