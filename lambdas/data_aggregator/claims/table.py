"""Who bundles which source: the records in the idempotency table.

The records have the shape of Powertools' idempotency utility. Each write is a compare-and-swap: it says what the record
has to be, and fails where it is anything else. A hundred of them go into one transaction: 1,000 claims are ten requests
and 0.1 s of processor time, where single writes measured 1.6 s.
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
"""DynamoDB's limit of a transaction."""
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
    """When the table forgets the record, seconds since the epoch."""
    in_progress_expiration: int
    """When the claim's owner is certainly gone, milliseconds since the epoch."""
    bucket: str
    bundle: str
    """The bundle's key."""
    upload_id: str

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read a record back."""
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
        """What Powertools would hand to a duplicate; no two uploads have the same."""
        return json.dumps({"bucket": self.bucket, "bundle": self.bundle, "upload_id": self.upload_id})

    def to_item(self, source_id: str) -> Item:
        """Return the record of a source."""
        return {
            "id": {"S": source_id},
            "status": {"S": self.status},
            "expiration": {"N": str(self.expiration)},
            "in_progress_expiration": {"N": str(self.in_progress_expiration)},
            "data": {"S": self.data},
        }


@dataclass(frozen=True, slots=True)
class Change:
    """A record to be written where it is still ``before``; ``None`` stands for no record."""

    source_id: str
    before: Claim | None
    after: Claim | None


class ClaimTable:
    """The idempotency table."""

    def __init__(self, dynamodb: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name

    def swap(self, changes: Sequence[Change]) -> dict[str, Claim | None]:
        """Make the changes, each by itself; return those that were not made, with the records that were there instead.

        A change that had been made already counts as made: its answer may have been lost.

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
                # Nothing was written: those that cannot be are taken out, the others tried again.
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
    """Note in ``refused`` what cannot be changed; return what is to be tried again."""
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
