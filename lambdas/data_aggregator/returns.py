"""Messages that come back: when."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
"""SQS' limit of a request."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Return:
    """A message that is not done with."""

    message_id: str
    receipt_handle: str
    after_seconds: int


def hide(sqs: SQSClient, queue_url: str, returns: Sequence[Return]) -> None:
    """Let each message come back after its time, instead of after the queue's visibility timeout.

    That one is six times as long as the function may run, since it has to outlast a worker that was killed.
    """

    def hide_batch(batch: Sequence[Return]) -> None:
        sqs.change_message_visibility_batch(
            QueueUrl=queue_url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": one.receipt_handle, "VisibilityTimeout": one.after_seconds}
                for number, one in enumerate(batch)
            ],
        )

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="return") as pool:
        for _ in pool.map(hide_batch, batched(returns, _BATCH, strict=False)):
            pass
