"""Messages that come back: when."""

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
    """A message that is not done with."""

    receipt_handle: str
    after_seconds: int


def change_visibility(sqs: SQSClient, queue_url: str, returns: Sequence[VisibilityChange]) -> None:
    """Let each message come back after its time, instead of after the queue's visibility timeout.

    That one is six times as long as the function may run, since it has to outlast a worker that was killed. Raises what
    the first failure raised, once all have been tried; none is begun any more once SQS could not be reached: a thousand
    timeouts would outlast the invocation, and with it what it has to say about the messages that are done with.
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
