"""The job table's record of a ZIP job: its attributes, how they are written and read, and the rule for a dead job.

One source file, linked into each Lambda package that uses it, so that every zip carries its own copy.

Running deployments hold records of older versions. An attribute keeps its name and its meaning, and a reader must cope
with records that lack an attribute that was added later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast, get_args

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Status = Literal["PENDING", "READY", "FAILED", "CANCELLED", "EXPIRED"]
"""PENDING until the job ends. READY becomes EXPIRED once the archive is gone; no other end ever changes."""
type Phase = Literal["queued", "processing"]
type Compression = Literal["stored", "deflated"]
type NameStyle = Literal["portable", "asIs"]
type PathMode = Literal["basename", "relative", "full"]
type Policy = Literal["fail", "skip"]

STATUSES: tuple[Status, ...] = get_args(Status.__value__)
SERVICE_PREFIX = ".zip-jobs/"
"""Where the service keeps its own objects in the target bucket: key lists, checkpoints and key reports."""
STOPPED_CODE = "worker_stopped"
"""The ``errorCode`` of a dead job."""
LEASE_GRACE_SECONDS = 5
"""How long the reader of the status waits after a lease's end: its clock and the worker's may differ."""

_WORKER_STOPPED = "the worker crashed or timed out on its last attempt; see its logs"
_MESSAGE_EXPIRED = "the job waited in the queue longer than the queue keeps messages"
_READ_BY_DEATH_RULE = ("leaseExpiresAt", "leaseMessageId", "receives", "handedOverAt")
_PLACEHOLDER = re.compile(r"#(\w+)")


class JobRecord(TypedDict, total=False):
    """One item of the job table, or some of its attributes.

    Times are ISO 8601 in UTC with microseconds and ``Z``, unless stated otherwise.
    """

    # Written by zip-enqueue when the job is created; never changed.
    jobId: str
    """The partition key."""
    owner: str
    """Partition key of the index ``byOwner``. Records from before there were owners lack it."""
    day: str
    """``YYYY-MM-DD`` of ``createdAt``: partition key of the index ``byDay``."""
    createdAt: str
    """Sort key of both indexes."""
    sourceBucket: str
    targetBucket: str
    targetKey: str
    """Key of the archive."""
    archiveName: str
    """File name of the download."""
    keyListKey: str
    """Key of the request's own list of keys, in the target bucket."""
    prefix: str
    manifestKey: str
    paths: PathMode
    names: NameStyle
    onMissing: Policy
    onUnreadable: Policy
    onChanged: Policy
    compression: Compression
    computeCrc: bool
    allowedPrefixes: list[str]
    """Prefixes of the keys that the owner may archive; absent where every key is allowed."""
    presignTtlSeconds: int
    requestHash: str
    """SHA-256 of the request, in hexadecimal."""
    idempotent: bool
    """Whether the request had an ``Idempotency-Key``."""
    ttl: int
    """Seconds since the epoch, after which DynamoDB may delete the record."""

    # Written by zip-enqueue when an equal request arrives before a worker has taken the job.
    repeated: bool

    # Written by zip-enqueue first, then by the worker or by zip-status.
    status: Status
    phase: Phase
    filesTotal: int

    # The lease; written by the worker.
    leaseOwner: str
    leaseExpiresAt: int | Decimal
    """Seconds since the epoch, with fractions."""
    leaseMessageId: str
    """The SQS message whose worker took the lease last; it outlives the lease."""
    receives: int
    """``ApproximateReceiveCount`` of that message."""
    attempts: int
    """How often a worker has started on the job."""
    hops: int
    """How often an invocation has handed the job over to the next."""
    handedOverAt: str
    pastMessages: set[str]
    """Messages whose workers have handed the job over to the next message."""

    # Progress; written by the worker's heartbeat.
    filesDone: int
    bytesDone: int
    bytesTotal: int
    bytesCopied: int
    bytesStreamed: int
    lastError: str
    """The transient error that ended the last attempt."""

    # The end; written by the worker, the dead-letter function or zip-status.
    completedAt: str
    sizeBytes: int
    crc32: str
    """CRC-32 of the archive, eight hexadecimal digits."""
    etag: str
    """ETag of the archive, without quotes."""
    versionId: str
    files: int
    skipped: int
    skippedKeys: list[str]
    """The first of the keys that were left out."""
    error: str
    errorCode: str
    failedKeys: list[str]
    """The first of the keys that the job failed for."""
    keyReportKey: str
    """Key of the object that lists all keys that were left out or that the job failed for."""
    expiredAt: str


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The limits of the job queue: all that a reader of the record knows about the job's message."""

    max_receives: int
    retention_seconds: int


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message of the job that has reached the dead-letter queue: no worker receives it again."""

    message_id: str


def explain_death(record: JobRecord, evidence: QueueLimits | DeadMessage, now: datetime) -> str:
    """Return why no worker will end the job, or an empty string if one still can or the job has ended.

    A PENDING job is dead when nobody holds its lease and no message brings it back to a worker:

    - By a message in the dead-letter queue, unless its worker has handed the job over to a newer message. A message
      that took the lease again after its hand-over was received once more, and counts.
    - By the record alone: the last permitted receive took the lease and let it run out, or the newest message is older
      than the queue's retention. The record does not show the clock of the worker, hence the grace.
    """
    lease_end = record.get("leaseExpiresAt")
    grace = LEASE_GRACE_SECONDS if isinstance(evidence, QueueLimits) else 0
    if record["status"] != "PENDING" or (lease_end is not None and float(lease_end) + grace >= now.timestamp()):
        return ""
    earlier = f"; earlier error: {record['lastError']}" if record.get("lastError") else ""
    if isinstance(evidence, DeadMessage):
        is_newest = lease_end is not None and record.get("leaseMessageId") == evidence.message_id
        is_superseded = evidence.message_id in record.get("pastMessages", ()) and not is_newest
        return "" if is_superseded else _WORKER_STOPPED + earlier
    if lease_end is not None and record.get("receives", 0) >= evidence.max_receives:
        return _WORKER_STOPPED + earlier
    # Each invocation of a long job sends a message of its own for the next.
    age = now - datetime.fromisoformat(record.get("handedOverAt") or record["createdAt"])
    return _MESSAGE_EXPIRED + earlier if age > timedelta(seconds=evidence.retention_seconds) else ""


def fail_dead_job(
    dynamodb: DynamoDBClient, table_name: str, record: JobRecord, reason: str, now: datetime
) -> JobRecord | None:
    """Mark a job FAILED that :func:`explain_death` found dead; return the record as it is then.

    ``None`` means that the job has changed since ``record`` was read: it ended, or a worker took it or handed it over.
    """
    values: JobRecord = {
        "status": "FAILED",
        "error": reason,
        "errorCode": STOPPED_CODE,
        "completedAt": format_time(now),
    }
    seen = {name: value for name, value in record.items() if name in _READ_BY_DEATH_RULE}
    unchanged = [
        f"#{name} = :seen_{name}" if name in seen else f"attribute_not_exists(#{name})" for name in _READ_BY_DEATH_RULE
    ]
    update = build_update(
        values,
        remove=("leaseOwner", "leaseExpiresAt"),
        condition=" AND ".join(["#status = :pending", *unchanged]),
        condition_values={"pending": "PENDING", **{f"seen_{name}": value for name, value in seen.items()}},
    )
    if not is_accepted(lambda: dynamodb.update_item(TableName=table_name, Key=build_key(record["jobId"]), **update)):
        return None
    return {**record, **values}


def read_record(dynamodb: DynamoDBClient, table_name: str, job_id: str) -> JobRecord | None:
    """Return the job's record by a consistent read, ``None`` if there is none."""
    response = dynamodb.get_item(TableName=table_name, Key=build_key(job_id), ConsistentRead=True)
    item = response.get("Item")
    return decode(item) if item else None


def build_key(job_id: str) -> dict[str, Any]:
    """Return the primary key of a job's record, as DynamoDB takes it."""
    return {"jobId": {"S": job_id}}


def build_update(
    values: JobRecord,
    *,
    condition: str,
    condition_values: Mapping[str, object],
    remove: Iterable[str] = (),
    add: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Return the arguments of a conditional UpdateItem that sets ``values``.

    Args:
        values: attributes to set.
        condition: of the write; attributes are written as ``#name``, values as ``:name``.
        condition_values: what the condition compares with; it may also name what ``values`` and ``add`` hold.
        remove: attributes to remove.
        add: numbers and sets to add to attributes.
    """
    add = add or {}
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
    if remove:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
    if add:
        expression += " ADD " + ", ".join(f"#{name} :{name}" for name in add)
    placeholders = {**values, **add, **condition_values}
    return {
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in _PLACEHOLDER.findall(expression + condition)},
        "ExpressionAttributeValues": encode({f":{name}": value for name, value in placeholders.items()}),
    }


def is_accepted(write: Callable[[], object]) -> bool:
    """Do a conditional write; return whether its condition held."""
    try:
        write()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def encode(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values as DynamoDB takes them: ``{"files": 12}`` gives ``{"files": {"N": "12"}}``."""
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in values.items()}


def decode(item: Mapping[str, Any]) -> JobRecord:
    """Return a record that DynamoDB returned; numbers become ``int`` where they are whole, else ``Decimal``."""
    deserialize = TypeDeserializer().deserialize
    return cast("JobRecord", {name: _simplify(deserialize(value)) for name, value in item.items()})


def _simplify(value: object) -> object:
    # Fractions stay decimals: a lease is compared with what is stored, digit by digit.
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def format_seconds(value: float) -> Decimal:
    """Return a number of seconds as DynamoDB takes it, rounded to milliseconds."""
    return Decimal(f"{value:.3f}")


def format_time(moment: datetime) -> str:
    """Return a moment as the table stores it: ISO 8601 in UTC with microseconds and ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def format_message(job_id: str) -> str:
    """Return the body of the SQS message that brings a job to a worker."""
    return json.dumps({"jobId": job_id})


def parse_message(body: str) -> str:
    """Return the job id in a body that :func:`format_message` made.

    Raises:
        ValueError: the body is anything else.
    """
    try:
        job_id = json.loads(body)["jobId"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"the body is not a JSON object with a jobId: {type(error).__name__}") from error
    if not isinstance(job_id, str) or not job_id:
        raise ValueError("jobId is not a non-empty string")
    return job_id
