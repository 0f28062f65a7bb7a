"""The job table: leases, progress and the job's end.

Every write is conditional, so that of two workers on one job exactly one has any effect, and so that nothing changes
a job that is READY, FAILED or CANCELLED.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from zip_worker.exceptions import ErrorCode, PermanentError
from zip_worker.schemas import Archive, Job, Progress

from .key_report import KEYS_KEPT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_DEAD = "the worker ended without a result on every try; its log says more (out of memory or of time, most often)"

_from_dynamodb = TypeDeserializer().deserialize
_to_dynamodb = TypeSerializer().serialize


@dataclass(frozen=True, slots=True)
class Leased:
    """The job is this worker's until the lease runs out."""

    job: Job


@dataclass(frozen=True, slots=True)
class Busy:
    """Another worker holds the job."""

    seconds_left: float
    message_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The job is READY, FAILED, CANCELLED or EXPIRED."""

    status: str
    target_bucket: str
    target_key: str
    key_list_key: str | None = None
    attempts: int = 0
    """How often a worker has started on the job."""
    changed: bool = False
    """Whether this very call ended it."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no such job."""


type LeaseAnswer = Leased | Busy | Ended | Unknown


class JobTable:
    """The job table as seen by one worker, named ``owner`` in its leases."""

    def __init__(self, dynamodb: DynamoDBClient, table_name: str, owner: str, lease_seconds: float) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name
        self._owner = owner
        self._lease_seconds = lease_seconds

    def lease(self, job_id: str, message_id: str, receives: int) -> LeaseAnswer:
        """Take the job if it is PENDING and nobody holds it."""
        now = time.time()
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table_name,
                Key={"jobId": {"S": job_id}},
                UpdateExpression=(
                    "SET leaseOwner = :owner, leaseExpiresAt = :until, leaseMessageId = :message, "
                    "receives = :receives, phase = :processing ADD attempts :one"
                ),
                # Our own lease counts as free: the SDK repeats a write whose answer was lost.
                ConditionExpression=(
                    "#status = :pending AND "
                    "(attribute_not_exists(leaseOwner) OR leaseExpiresAt < :now OR leaseOwner = :owner)"
                ),
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=_typed(
                    {
                        "owner": self._owner,
                        "until": _seconds(now + self._lease_seconds),
                        "message": message_id,
                        "receives": receives,
                        "processing": "processing",
                        "pending": "PENDING",
                        "now": _seconds(now),
                        "one": 1,
                    }
                ),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            return _refusal(cast("dict[str, Any] | None", error.response.get("Item")), now)
        return Leased(_job(_plain(answer["Attributes"])))

    def renew(self, job_id: str, progress: Progress) -> bool:
        """Extend the lease and write the progress; false when the job is no longer this worker's."""
        values = {
            "leaseExpiresAt": _seconds(time.time() + self._lease_seconds),
            "filesDone": progress.files_done,
            "filesTotal": progress.files_total,
            "bytesDone": progress.bytes_done,
            "bytesTotal": progress.bytes_total,
            "bytesCopied": progress.bytes_copied,
            "bytesStreamed": progress.bytes_streamed,
        }
        return self._update_mine(job_id, values)

    def hand_over(self, job_id: str, hops: int, message_id: str) -> bool:
        """Drop the lease for the next invocation, number ``hops``; false when the job is no longer this worker's."""
        values = {"hops": hops, "handedOverAt": _now()}
        past = {"pastMessages": {message_id}}
        return self._update_mine(job_id, values, remove=("leaseOwner", "leaseExpiresAt", "lastError"), add=past)

    def finish(self, job_id: str, archive: Archive) -> bool:
        """Mark the job READY; false when it is no longer this worker's."""
        values: dict[str, object] = {
            "status": "READY",
            "sizeBytes": archive.stored.size,
            "crc32": f"{archive.stored.crc32:08x}",
            "etag": archive.stored.etag.strip('"'),
            "files": archive.files,
            "bytesCopied": archive.bytes_copied,
            "bytesStreamed": archive.bytes_streamed,
            "skipped": len(archive.skipped),
            "skippedKeys": [fault.key for fault in archive.skipped[:KEYS_KEPT]],
            "completedAt": _now(),
        }
        if archive.stored.version_id:
            values["versionId"] = archive.stored.version_id
        if archive.report_key:
            values["keyReportKey"] = archive.report_key
        return self._update_mine(job_id, values, remove=("leaseOwner", "leaseExpiresAt", "lastError"))

    def fail(self, job_id: str, error: PermanentError, report_key: str | None = None) -> bool:
        """Mark the job FAILED for good; false when it is no longer this worker's."""
        values: dict[str, object] = {
            "status": "FAILED",
            "error": str(error),
            "errorCode": error.code.value,
            "completedAt": _now(),
        }
        if error.faults:
            values["failedKeys"] = [fault.key for fault in error.faults[:KEYS_KEPT]]
        if report_key:
            values["keyReportKey"] = report_key
        return self._update_mine(job_id, values, remove=("leaseOwner", "leaseExpiresAt"))

    def give_back(self, job_id: str, error: str) -> bool:
        """Drop the lease for another try, noting why; false when the job is no longer this worker's."""
        values = {"phase": "queued", "lastError": error}
        return self._update_mine(job_id, values, remove=("leaseOwner", "leaseExpiresAt"))

    def status(self, job_id: str) -> str | None:
        """Return the job's status as it is now, or ``None`` for no such job."""
        answer = self._dynamodb.get_item(TableName=self._table_name, Key={"jobId": {"S": job_id}}, ConsistentRead=True)
        item = answer.get("Item")
        return item["status"]["S"] if item else None

    def _update_mine(
        self,
        job_id: str,
        values: Mapping[str, object],
        remove: Sequence[str] = (),
        add: Mapping[str, set[str]] | None = None,
    ) -> bool:
        """Set, remove and add to attributes on the condition that the job is PENDING and leased to this worker."""
        add = add or {}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        if add:
            expression += " ADD " + ", ".join(f"#{name} :{name}" for name in add)
        try:
            self._dynamodb.update_item(
                TableName=self._table_name,
                Key={"jobId": {"S": job_id}},
                UpdateExpression=expression,
                ConditionExpression="#status = :mustBe AND #leaseOwner = :me",
                ExpressionAttributeNames={
                    f"#{name}": name for name in {"status", "leaseOwner", *values, *remove, *add}
                },
                ExpressionAttributeValues=_typed({**values, **add, "mustBe": "PENDING", "me": self._owner}),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True


def settle_dead(dynamodb: DynamoDBClient, table_name: str, job_id: str, message_id: str) -> LeaseAnswer:
    """Mark a job FAILED whose message will not come again, unless a worker holds it or another message stands for it.

    The latter is so where a worker of this message handed the job over, and died before it could say so; unless the
    message came again and had the job once more.
    """
    now = time.time()
    try:
        answer = dynamodb.update_item(
            TableName=table_name,
            Key={"jobId": {"S": job_id}},
            UpdateExpression=(
                "SET #status = :failed, #error = :error, errorCode = :code, completedAt = :at "
                "REMOVE leaseOwner, leaseExpiresAt"
            ),
            ConditionExpression=(
                "#status = :pending AND (attribute_not_exists(leaseOwner) OR leaseExpiresAt < :now) "
                "AND (attribute_not_exists(pastMessages) OR NOT contains(pastMessages, :message) "
                "OR (attribute_exists(leaseOwner) AND leaseMessageId = :message))"
            ),
            ExpressionAttributeNames={"#status": "status", "#error": "error"},
            ExpressionAttributeValues=_typed(
                {
                    "failed": "FAILED",
                    "error": _DEAD,
                    "code": ErrorCode.WORKER_STOPPED.value,
                    "at": _now(),
                    "pending": "PENDING",
                    "now": _seconds(now),
                    "message": message_id,
                }
            ),
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        return _refusal(cast("dict[str, Any] | None", error.response.get("Item")), now)
    item = _plain(answer["Attributes"])
    return Ended("FAILED", item["targetBucket"], item["targetKey"], changed=True)


def _refusal(item: Mapping[str, Any] | None, now: float) -> LeaseAnswer:
    if not item:
        return Unknown()
    plain = _plain(item)
    if plain["status"] != "PENDING":
        attempts = int(plain.get("attempts", 0))
        return Ended(plain["status"], plain["targetBucket"], plain["targetKey"], plain.get("keyListKey"), attempts)
    return Busy(float(plain.get("leaseExpiresAt", now)) - now, plain.get("leaseMessageId", ""))


def _job(item: Mapping[str, Any]) -> Job:
    return Job(
        job_id=item["jobId"],
        source_bucket=item["sourceBucket"],
        target_bucket=item["targetBucket"],
        target_key=item["targetKey"],
        key_list_key=item.get("keyListKey"),
        manifest_key=item.get("manifestKey"),
        prefix=item.get("prefix"),
        paths=item["paths"],
        on_missing=item["onMissing"],
        compression=item["compression"],
        attempts=int(item["attempts"]),
        hops=int(item.get("hops", 0)),
        compute_crc=bool(item.get("computeCrc", False)),
        names=item.get("names", "asIs"),  # of a job from before there was a choice
        on_unreadable=item.get("onUnreadable", item["onMissing"]),
        on_changed=item.get("onChanged", "fail"),
        allowed_prefixes=tuple(item["allowedPrefixes"]) if "allowedPrefixes" in item else None,
    )


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _from_dynamodb(value) for name, value in item.items()}


def _typed(values: Mapping[str, object]) -> dict[str, Any]:
    """Return expression attribute values: ``{"now": 1}`` gives ``{":now": {"N": "1"}}``."""
    return {f":{name}": _to_dynamodb(value) for name, value in values.items()}


def _seconds(value: float) -> Decimal:
    """Return a time as DynamoDB takes it, to the millisecond."""
    return Decimal(f"{value:.3f}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
