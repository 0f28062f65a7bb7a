"""The claims on sources, as records in the idempotency table.

The records have the shape of Powertools' idempotency utility. Each write is a compare-and-swap: it names the expected
record, and fails if the record differs. A transaction holds up to 100 writes: 1,000 claims take ten requests and 0.1 s
of processor time, where single writes measured 1.6 s.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any, Literal, Self

from data_aggregator.exceptions import AggregatorError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_BATCH = 100
"""DynamoDB's limit for a transaction."""
_CONCURRENCY = 4
_MAX_ATTEMPTS = 8
_PAUSE_SECONDS = 0.05
_TRANSIENT_ERRORS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}

type Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """A record: a source is planned for a bundle (INPROGRESS), or is in it (COMPLETED)."""

    status: Literal["INPROGRESS", "COMPLETED"]
    expiration: int
    """When the table deletes the record, seconds since the epoch."""
    in_progress_expiration: int
    """When the claim's owner has certainly ended, milliseconds since the epoch."""
    bucket: str
    bundle: str
    """The bundle's key."""
    upload_id: str

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Return the claim of a table item."""
        data = json.loads(item.get("data", {}).get("S") or "{}")
        return cls(
            status=item["status"]["S"],
            expiration=int(item["expiration"]["N"]),
            in_progress_expiration=int(item.get("in_progress_expiration", {}).get("N", 0)),
            bucket=data.get("bucket", ""),
            bundle=data.get("bundle", ""),
            upload_id=data.get("upload_id", ""),
        )

    @property
    def data(self) -> str:
        """Return the value that Powertools would return to a duplicate; it is unique to the upload."""
        return json.dumps({"bucket": self.bucket, "bundle": self.bundle, "upload_id": self.upload_id})

    def to_item(self, source_id: str) -> Item:
        """Return the claim as a table item."""
        return {
            "id": {"S": source_id},
            "status": {"S": self.status},
            "expiration": {"N": str(self.expiration)},
            "in_progress_expiration": {"N": str(self.in_progress_expiration)},
            "data": {"S": self.data},
        }


@dataclass(frozen=True, slots=True)
class Change:
    """A write that replaces ``before`` by ``after``; ``None`` means no record."""

    source_id: str
    before: Claim | None
    after: Claim | None


class ClaimTable:
    """The idempotency table."""

    def __init__(self, dynamodb: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name

    def swap(self, changes: Sequence[Change]) -> dict[str, Claim | None]:
        """Make the changes independently; return the refused ones with the records found in their place.

        A change that is already in the table counts as made: the response may have been lost.

        Raises:
            AggregatorError: the table was too busy for too long.
            ClientError: any other failure; some changes may have been made.
        """
        with ThreadPoolExecutor(_CONCURRENCY, thread_name_prefix="claims") as pool:
            refused: dict[str, Claim | None] = {}
            for found in pool.map(self._swap_batch, batched(changes, _BATCH, strict=False)):
                refused |= found
        return refused

    def _swap_batch(self, changes: Sequence[Change]) -> dict[str, Claim | None]:
        refused: dict[str, Claim | None] = {}
        waiting = list(changes)
        for attempt in range(_MAX_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311  # spreads workers out
            try:
                self._dynamodb.transact_write_items(TransactItems=[self._describe(change) for change in waiting])
            except self._dynamodb.exceptions.TransactionCanceledException as error:
                # Nothing was written. The refused changes are removed, and the others are retried.
                reasons = error.response["CancellationReasons"]
                waiting = _take_out_refused(waiting, reasons, refused)
            else:
                return refused
            if not waiting:
                return refused
        raise AggregatorError(f"{len(waiting)} records could not be written: the table is too busy")

    def _describe(self, change: Change) -> TransactWriteItemTypeDef:
        condition: Any = {
            "TableName": self._table_name,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            "ConditionExpression": "attribute_not_exists(id)",
        }
        if change.before:
            item = change.before.to_item(change.source_id)
            condition["ConditionExpression"] = "#s = :s AND in_progress_expiration = :e AND #d = :d"
            condition["ExpressionAttributeNames"] = {"#s": "status", "#d": "data"}
            condition["ExpressionAttributeValues"] = {
                ":s": item["status"],
                ":e": item["in_progress_expiration"],
                ":d": item["data"],
            }
        if change.after:
            return {"Put": condition | {"Item": change.after.to_item(change.source_id)}}
        return {"Delete": condition | {"Key": {"id": {"S": change.source_id}}}}


def _take_out_refused(
    waiting: Sequence[Change], reasons: Sequence[Mapping[str, Any]], refused: dict[str, Claim | None]
) -> list[Change]:
    """Add refused changes to ``refused``; return the changes to retry."""
    again = []
    for change, reason in zip(waiting, reasons, strict=True):
        code = reason.get("Code", "None")
        if code == "ConditionalCheckFailed":
            found = Claim.from_item(reason["Item"]) if reason.get("Item") else None
            if found != change.after:
                refused[change.source_id] = found
        elif code == "None" or code in _TRANSIENT_ERRORS:
            again.append(change)
        else:
            raise AggregatorError(f"a record could not be written: {code}: {reason.get('Message', '')}")
    return again
