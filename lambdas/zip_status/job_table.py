"""The job table as the API reads and changes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .clients import calling, get_dynamodb
from .job_record import (
    JobRecord,
    Status,
    build_key,
    build_update,
    decode,
    encode,
    fail_dead_job,
    is_accepted,
    read_record,
)
from .schemas import Filter, Position

_LISTED = ("jobId", "owner", "status", "phase", "createdAt", "targetKey", "files", "sizeBytes")
_MIN_EVALUATED = 200
"""Minimum of jobs that one query evaluates if a filter may drop most of them."""


@dataclass(frozen=True)
class JobTable:
    """The job table; every method raises ServiceUnavailableError if DynamoDB does not respond."""

    table_name: str

    def read_job(self, job_id: str) -> JobRecord | None:
        """Return the job by a consistent read, or None."""
        with calling("GetItem"):
            return read_record(get_dynamodb(), self.table_name, job_id)

    def fail_dead_job(self, record: JobRecord, reason: str, now: datetime) -> JobRecord | None:
        """Mark a dead job FAILED; return its record as it is then, or None if the job has changed meanwhile."""
        with calling("UpdateItem"):
            return fail_dead_job(get_dynamodb(), self.table_name, record, reason, now)

    def cancel_job(self, job_id: str, completed_at: str) -> bool:
        """Turn a PENDING job into CANCELLED; return False if it is not PENDING or does not exist."""
        return self._update(job_id, {"status": "CANCELLED", "completedAt": completed_at}, "PENDING")

    def expire_job(self, job_id: str, values: JobRecord) -> bool:
        """Turn a READY job into EXPIRED; return False if it is not READY any more."""
        return self._update(job_id, values, "READY")

    def query_day(self, day: str, wanted: Filter, limit: int, after: Position | None) -> list[JobRecord]:
        """Return at least ``limit`` jobs of one day where there are as many, newest first, from ``after`` on."""
        start: JobRecord = {}
        if after and after.created_at.startswith(day):
            start = {"jobId": after.job_id, "day": day, "createdAt": after.created_at}
        return self._query("byDay", "#day = :day", {"day": day}, wanted, limit, start)

    def query_owner(
        self, owner: str, since: str, wanted: Filter, limit: int, after: Position | None
    ) -> list[JobRecord]:
        """Return at least ``limit`` of the owner's jobs where there are as many, newest first, from ``after`` on."""
        if after and after.created_at < since:
            return []
        start: JobRecord = {"jobId": after.job_id, "owner": owner, "createdAt": after.created_at} if after else {}
        key = "#owner = :owner AND #createdAt >= :createdAt"
        return self._query("byOwner", key, {"owner": owner, "createdAt": since}, wanted, limit, start)

    def _query(
        self, index: str, key: str, values: JobRecord, wanted: Filter, limit: int, start: JobRecord
    ) -> list[JobRecord]:
        condition, filter_values = _describe_filter(wanted)
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "IndexName": index,
            "KeyConditionExpression": key,
            "ExpressionAttributeNames": {f"#{name}": name for name in {*_LISTED, *values}},
            "ExpressionAttributeValues": encode({f":{name}": one for name, one in (values | filter_values).items()}),
            "ProjectionExpression": ", ".join(f"#{name}" for name in _LISTED),
            "ScanIndexForward": False,
        }
        if condition:
            request["FilterExpression"] = condition
        if start:
            request["ExclusiveStartKey"] = encode(start)
        found: list[JobRecord] = []
        while len(found) < limit:
            request["Limit"] = max(limit - len(found), _MIN_EVALUATED if condition else 1)
            with calling("Query"):
                response = get_dynamodb().query(**request)
            found += [decode(item) for item in response["Items"]]
            if "LastEvaluatedKey" not in response:
                break
            request["ExclusiveStartKey"] = response["LastEvaluatedKey"]
        return found

    def _update(self, job_id: str, values: JobRecord, status: Status) -> bool:
        """Write ``values`` if the job has the status; return False if it has not, or does not exist."""
        update = build_update(values, condition="#status = :expected", condition_values={"expected": status})
        with calling("UpdateItem"):
            return is_accepted(
                lambda: get_dynamodb().update_item(TableName=self.table_name, Key=build_key(job_id), **update)
            )


def _describe_filter(wanted: Filter) -> tuple[str, dict[str, str]]:
    conditions, values = [], {}
    if wanted.status is not None:
        conditions.append("#status = :status")
        values["status"] = wanted.status
    if wanted.shared_owner is not None:
        conditions.append("(attribute_not_exists(#owner) OR #owner = :owner)")
        values["owner"] = wanted.shared_owner
    return " AND ".join(conditions), values
