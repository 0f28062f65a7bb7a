"""Messages that come back: when."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Return:
    """A message that is not done with."""

    receipt_handle: str
    after_seconds: int


def hide(sqs: SQSClient, queue_url: str, returns: Sequence[Return]) -> None:
    """Let each message come back after its time, instead of after the queue's visibility timeout.

    That one is six times as long as the function may run, since it has to outlast a worker that was killed. Raises what
    the first failure raised, once all have been tried.
    """

    def hide_one(one: Return) -> None:
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=one.receipt_handle, VisibilityTimeout=one.after_seconds
        )

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="return") as pool:
        hiding = [pool.submit(hide_one, one) for one in returns]
    for done in hiding:
        done.result()
