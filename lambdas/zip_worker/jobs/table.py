"""The job table as the worker uses it: the lease, the progress and the job's end.

Every write is conditional: of two workers on one job exactly one has any effect, and nothing changes a job that is
READY, FAILED or CANCELLED.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from zip_worker.exceptions import PermanentError
from zip_worker.job_record import (
    JobRecord,
    Status,
    build_key,
    build_update,
    decode,
    format_seconds,
    format_time,
    is_accepted,
    read_record,
)
from zip_worker.schemas import Archive, Job, Progress

from .key_report import MAX_KEYS_IN_RECORD

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LEASE = ("leaseOwner", "leaseExpiresAt")


@dataclass(frozen=True, slots=True)
class Leased:
    """The job is this worker's until the lease expires."""

    job: Job


@dataclass(frozen=True, slots=True)
class Busy:
    """Another worker holds the job."""

    seconds_left: float
    message_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The job is READY, FAILED, CANCELLED or EXPIRED."""

    status: Status
    target_bucket: str
    target_key: str
    key_list_key: str | None = None
    attempts: int = 0
    """How often a worker has started on the job."""
    changed: bool = False
    """Whether this call ended the job."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The table has no such job."""


type LeaseResult = Leased | Busy | Ended | Unknown


class JobTable:
    """The job table as seen by one worker, named ``owner`` in its leases."""

    def __init__(self, dynamodb: DynamoDBClient, table_name: str, owner: str, lease_seconds: float) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name
        self._owner = owner
        self._lease_seconds = lease_seconds

    def lease(self, job_id: str, message_id: str, receives: int) -> LeaseResult:
        """Take the job if it is PENDING and nobody holds it; take it over if the lease has expired."""
        now = time.time()
        values: JobRecord = {
            "leaseOwner": self._owner,
            "leaseExpiresAt": format_seconds(now + self._lease_seconds),
            "leaseMessageId": message_id,
            "receives": receives,
            "phase": "processing",
        }
        update = build_update(
            values,
            add={"attempts": 1},
            # This worker's own lease counts as free: the SDK repeats a write whose response was lost.
            condition=(
                "#status = :pending AND "
                "(attribute_not_exists(#leaseOwner) OR #leaseExpiresAt < :now OR #leaseOwner = :leaseOwner)"
            ),
            condition_values={"pending": "PENDING", "now": format_seconds(now)},
        )
        try:
            response = self._dynamodb.update_item(
                TableName=self._table_name,
                Key=build_key(job_id),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **update,
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            item = error.response.get("Item")
            return describe_refusal(decode(item) if isinstance(item, Mapping) else None, now)
        return Leased(_read_job(decode(response["Attributes"])))

    def renew(self, job_id: str, progress: Progress) -> bool:
        """Extend the lease and write the progress; return False if the job is no longer this worker's."""
        return self._update_own(
            job_id,
            {
                "leaseExpiresAt": format_seconds(time.time() + self._lease_seconds),
                "filesDone": progress.files_done,
                "filesTotal": progress.files_total,
                "bytesDone": progress.bytes_done,
                "bytesTotal": progress.bytes_total,
                "bytesCopied": progress.bytes_copied,
                "bytesStreamed": progress.bytes_streamed,
            },
        )

    def hand_over(self, job_id: str, hops: int, message_id: str) -> bool:
        """Release the lease for the next invocation, number ``hops``; return False if the job is no longer ours."""
        values: JobRecord = {"hops": hops, "handedOverAt": _now()}
        return self._update_own(job_id, values, remove=(*_LEASE, "lastError"), add={"pastMessages": {message_id}})

    def finish(self, job_id: str, archive: Archive) -> bool:
        """Mark the job READY; return False if it is no longer this worker's."""
        values: JobRecord = {
            "status": "READY",
            "sizeBytes": archive.stored.size,
            "crc32": f"{archive.stored.crc32:08x}",
            "etag": archive.stored.etag.strip('"'),
            "files": archive.files,
            "bytesCopied": archive.bytes_copied,
            "bytesStreamed": archive.bytes_streamed,
            "skipped": len(archive.skipped),
            "skippedKeys": [fault.key for fault in archive.skipped[:MAX_KEYS_IN_RECORD]],
            "completedAt": _now(),
        }
        if archive.stored.version_id:
            values["versionId"] = archive.stored.version_id
        if archive.report_key:
            values["keyReportKey"] = archive.report_key
        return self._update_own(job_id, values, remove=(*_LEASE, "lastError"))

    def fail(self, job_id: str, error: PermanentError, report_key: str | None = None) -> bool:
        """Mark the job FAILED for good; return False if it is no longer this worker's."""
        values: JobRecord = {
            "status": "FAILED",
            "error": str(error),
            "errorCode": error.code.value,
            "completedAt": _now(),
        }
        if error.faults:
            values["failedKeys"] = [fault.key for fault in error.faults[:MAX_KEYS_IN_RECORD]]
        if report_key:
            values["keyReportKey"] = report_key
        return self._update_own(job_id, values, remove=_LEASE)

    def release(self, job_id: str, error: str) -> bool:
        """Release the lease for another attempt and record why; return False if the job is no longer this worker's."""
        return self._update_own(job_id, {"phase": "queued", "lastError": error}, remove=_LEASE)

    def status(self, job_id: str) -> Status | None:
        """Return the job's status by a consistent read, or ``None`` if there is no such job."""
        record = read_record(self._dynamodb, self._table_name, job_id)
        return record["status"] if record else None

    def _update_own(
        self,
        job_id: str,
        values: JobRecord,
        remove: Sequence[str] = (),
        add: Mapping[str, set[str]] | None = None,
    ) -> bool:
        """Update the record on the condition that the job is PENDING and leased to this worker."""
        update = build_update(
            values,
            remove=remove,
            add=add,
            condition="#status = :pending AND #leaseOwner = :me",
            condition_values={"pending": "PENDING", "me": self._owner},
        )
        return is_accepted(
            lambda: self._dynamodb.update_item(TableName=self._table_name, Key=build_key(job_id), **update)
        )


def describe_refusal(record: JobRecord | None, now: float) -> Busy | Ended | Unknown:
    """Return why a job cannot be taken or failed, from its record; ``now`` is in seconds since the epoch."""
    if record is None:
        return Unknown()
    if record["status"] != "PENDING":
        return Ended(
            record["status"],
            record["targetBucket"],
            record["targetKey"],
            record.get("keyListKey"),
            record.get("attempts", 0),
        )
    return Busy(float(record.get("leaseExpiresAt", now)) - now, record.get("leaseMessageId", ""))


def _read_job(record: JobRecord) -> Job:
    prefixes = record.get("allowedPrefixes")
    return Job(
        job_id=record["jobId"],
        source_bucket=record["sourceBucket"],
        target_bucket=record["targetBucket"],
        target_key=record["targetKey"],
        key_list_key=record.get("keyListKey"),
        manifest_key=record.get("manifestKey"),
        prefix=record.get("prefix"),
        paths=record["paths"],
        on_missing=record["onMissing"],
        compression=record["compression"],
        attempts=record["attempts"],
        hops=record.get("hops", 0),
        compute_crc=record.get("computeCrc", False),
        names=record.get("names", "asIs"),  # of a job from before there was a choice
        on_unreadable=record.get("onUnreadable", record["onMissing"]),
        on_changed=record.get("onChanged", "fail"),
        allowed_prefixes=None if prefixes is None else tuple(prefixes),
    )


def _now() -> str:
    return format_time(datetime.now(UTC))
