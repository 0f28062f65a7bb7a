"""The clients of zip-status, and its DynamoDB calls."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

# At import, not at first use: Lambda runs imports in its init phase, with a full CPU.
import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .exceptions import ServiceUnavailableError
from .schemas import Filter, Item, Position

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
_LISTED = ("jobId", "owner", "status", "phase", "createdAt", "targetKey", "files", "sizeBytes")
_LEAST_EVALUATED = 200
"""Jobs that one query looks at where a filter may drop most of them."""


@cache
def get_session() -> boto3.Session:
    """Return the one session, whose credentials sign the downloads."""
    return boto3.Session()


@cache
def get_dynamodb() -> "DynamoDBClient":
    """Return the one DynamoDB client of this execution environment."""
    return get_session().client("dynamodb", config=_CONFIG)


@cache
def get_s3(*, path_style: bool) -> "S3Client":
    """Return the one S3 client of this execution environment."""
    # botocore still signs us-east-1 for the global address unless told otherwise.
    style = Config(
        signature_version="s3v4",
        s3={
            "addressing_style": "path" if path_style else "virtual",
            "us_east_1_regional_endpoint": "regional",
        },
    )
    return get_session().client("s3", config=_CONFIG.merge(style))


@contextmanager
def calling(operation: str) -> Iterator[None]:
    """Turn what AWS's client raises into ServiceUnavailableError."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailableError(f"{operation}: {error}") from error


@dataclass(frozen=True)
class JobTable:
    """The job table; implements :class:`~.core.Jobs`."""

    table_name: str

    def read_job(self, job_id: str) -> Item | None:
        """Return the job by a consistent read, or None."""
        with calling("GetItem"):
            answer = get_dynamodb().get_item(
                TableName=self.table_name, Key={"jobId": {"S": job_id}}, ConsistentRead=True
            )
        found = answer.get("Item")
        return _decode(found) if found else None

    def finish_job(self, item: Item, values: Item) -> bool:
        """Write ``values`` if the job is PENDING under the very lease that ``item`` shows, or still under none."""
        lease = item.get("leaseExpiresAt")
        if lease is None:
            return self._end(item["jobId"], values, "attribute_not_exists(leaseExpiresAt)", {})
        return self._end(item["jobId"], values, "leaseExpiresAt = :lease", {":lease": lease})

    def cancel_job(self, job_id: str, completed_at: str) -> bool:
        """Turn a PENDING job into CANCELLED; return False if it is not PENDING or does not exist."""
        return self._end(job_id, {"status": "CANCELLED", "completedAt": completed_at}, "", {})

    def expire_job(self, job_id: str, values: Item) -> bool:
        """Turn a READY job into EXPIRED; return False if it is not READY any more."""
        return self._end(job_id, values, "", {}, status="READY")

    def query_day(self, day: str, wanted: Filter, limit: int, after: Position | None) -> list[Item]:
        """Return at least ``limit`` jobs of one day where there are as many, newest first, from ``after`` on."""
        start: Item = {}
        if after and after.created_at.startswith(day):
            start = {"jobId": after.job_id, "day": day, "createdAt": after.created_at}
        return self._query("byDay", "#day = :day", {"day": day}, wanted, limit, start)

    def query_owner(self, owner: str, since: str, wanted: Filter, limit: int, after: Position | None) -> list[Item]:
        """Return at least ``limit`` of the owner's jobs where there are as many, newest first, from ``after`` on."""
        if after and after.created_at < since:
            return []
        start: Item = {"jobId": after.job_id, "owner": owner, "createdAt": after.created_at} if after else {}
        key = "#owner = :owner AND #createdAt >= :createdAt"
        return self._query("byOwner", key, {"owner": owner, "createdAt": since}, wanted, limit, start)

    def _query(self, index: str, key: str, values: Item, wanted: Filter, limit: int, start: Item) -> list[Item]:
        condition, filter_values = _describe_filter(wanted)
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "IndexName": index,
            "KeyConditionExpression": key,
            "ExpressionAttributeNames": {f"#{name}": name for name in {*_LISTED, *values}},
            "ExpressionAttributeValues": _encode({f":{name}": one for name, one in (values | filter_values).items()}),
            "ProjectionExpression": ", ".join(f"#{name}" for name in _LISTED),
            "ScanIndexForward": False,
        }
        if condition:
            request["FilterExpression"] = condition
        if start:
            request["ExclusiveStartKey"] = _encode(start)
        found: list[Item] = []
        while len(found) < limit:
            request["Limit"] = max(limit - len(found), _LEAST_EVALUATED if condition else 1)
            with calling("Query"):
                answer = get_dynamodb().query(**request)
            found += [_decode(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    def _end(self, job_id: str, values: Item, condition: str, condition_values: Item, status: str = "PENDING") -> bool:
        placeholders = {f":{name}": value for name, value in values.items()}
        with calling("UpdateItem"):
            return _is_accepted(
                lambda: get_dynamodb().update_item(
                    TableName=self.table_name,
                    Key={"jobId": {"S": job_id}},
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                    ConditionExpression=" AND ".join(filter(None, ["#status = :mustBe", condition])),
                    ExpressionAttributeNames={f"#{name}": name for name in values},
                    ExpressionAttributeValues=_encode({**placeholders, ":mustBe": status, **condition_values}),
                )
            )


def _is_accepted(write: Callable[[], object]) -> bool:
    """Do a conditional write; return False if its condition did not hold."""
    try:
        write()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def _describe_filter(wanted: Filter) -> tuple[str, Item]:
    conditions, values = [], {}
    if wanted.status is not None:
        conditions.append("#status = :status")
        values["status"] = wanted.status
    if wanted.shared_owner is not None:
        conditions.append("(attribute_not_exists(#owner) OR #owner = :owner)")
        values["owner"] = wanted.shared_owner
    return " AND ".join(conditions), values


def _encode(values: Item) -> dict[str, Any]:
    encode = TypeSerializer().serialize
    return {name: encode(value) for name, value in values.items()}


def _decode(values: Mapping[str, Any]) -> Item:
    decode = TypeDeserializer().deserialize
    return {name: _simplify(decode(value)) for name, value in values.items()}


def _simplify(value: object) -> object:
    # Fractions stay decimals: a lease is compared with what is stored, digit by digit.
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value
