"""Visibility timeouts of returned messages."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_CONCURRENCY = 8


@dataclass(frozen=True, slots=True)
class VisibilityChange:
    """A message to redeliver, and when."""

    receipt_handle: str
    after_seconds: int


def change_visibility(sqs: SQSClient, queue_url: str, returns: Sequence[VisibilityChange]) -> None:
    """Change the visibility timeout of each message, so that SQS redelivers it earlier.

    The queue's own timeout is six times the function's timeout, to outlast a killed worker. The first error is raised
    again after all messages were tried. No further call starts once SQS is unreachable: a thousand timeouts would use
    up the invocation and lose its batch response.
    """
    is_out_of_reach = Event()

    def change_one(one: VisibilityChange) -> None:
        if is_out_of_reach.is_set():
            return
        try:
            sqs.change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=one.receipt_handle, VisibilityTimeout=one.after_seconds
            )
        except BotoCoreError:
            is_out_of_reach.set()
            raise

    with ThreadPoolExecutor(_CONCURRENCY, thread_name_prefix="return") as pool:
        changes = [pool.submit(change_one, one) for one in returns]
    for done in changes:
        done.result()
