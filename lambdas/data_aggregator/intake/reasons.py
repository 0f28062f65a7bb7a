"""Reasons of returned messages, as records in the idempotency table, which outlive the logs and any dead letter.

A message that SQS moves to the dead-letter queue keeps its id, but cannot be annotated.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import TYPE_CHECKING, Any

from data_aggregator.exceptions import AggregatorError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REASON_PREFIX = "data-aggregator-message#"
"""Prefix of a record's key; the message's id follows."""
_BATCH = 25
"""DynamoDB's limit for BatchWriteItem."""
_CONCURRENCY = 4
_MAX_ATTEMPTS = 4
_PAUSE_SECONDS = 0.1
_MAX_REASON_LENGTH = 1000


def record_reasons(dynamodb: DynamoDBClient, table_name: str, reasons: Mapping[str, str], expiration: int) -> None:
    """Write the reasons, keyed by message id; each replaces the reason of an earlier receive.

    Args:
        dynamodb: a client.
        table_name: the idempotency table.
        reasons: texts; long ones are truncated.
        expiration: when the table may delete them, seconds since the epoch.

    Raises:
        AggregatorError: the table was throttled for too long.
        ClientError, BotoCoreError: any other failure.
    """
    items = [
        {
            "id": {"S": REASON_PREFIX + message_id},
            "status": {"S": "RETURNED"},
            "expiration": {"N": str(expiration)},
            "reason": {"S": reason[:_MAX_REASON_LENGTH]},
        }
        for message_id, reason in reasons.items()
    ]

    def write(batch: tuple[Any, ...]) -> None:
        waiting: Any = {table_name: [{"PutRequest": {"Item": item}} for item in batch]}
        for attempt in range(_MAX_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_SECONDS * 2**attempt)
            waiting = dynamodb.batch_write_item(RequestItems=waiting).get("UnprocessedItems")
            if not waiting:
                return
        raise AggregatorError(f"{len(waiting[table_name])} reasons could not be written: the table is too busy")

    pool = ThreadPoolExecutor(_CONCURRENCY, thread_name_prefix="reasons")
    try:
        for _ in pool.map(write, batched(items, _BATCH, strict=False)):
            pass
    finally:
        # After a failure no further batch starts: an unreachable table would use up the invocation.
        pool.shutdown(cancel_futures=True)
