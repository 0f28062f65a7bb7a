"""The DynamoDB calls of zip-status, and the signing of downloads."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

# At import, not at first use: Lambda runs imports in its init phase, with a full CPU.
import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .core import choose_lifetime, name_download, read_expiry
from .exceptions import ServiceUnavailableError
from .schemas import Item, Position, Signature
from .settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
_INDEX = "byDay"
_LISTED = ("jobId", "status", "phase", "createdAt", "targetKey", "files", "sizeBytes")


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
    """Return the one S3 client of this execution environment; it only signs."""
    # botocore still signs us-east-1 for the global address unless told otherwise.
    style = Config(
        signature_version="s3v4",
        s3={
            "addressing_style": "path" if path_style else "virtual",
            "us_east_1_regional_endpoint": "regional",
        },
    )
    return get_session().client("s3", config=style)


@contextmanager
def _calling(operation: str) -> Iterator[None]:
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
        with _calling("GetItem"):
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

    def query_day(self, day: str, limit: int, after: Position | None) -> list[Item]:
        """Return up to ``limit`` jobs of one day, newest first; those before ``after`` if that is of this day."""
        start: dict[str, Any] = {}
        if after and after.created_at.startswith(day):
            key = {"jobId": after.job_id, "day": day, "createdAt": after.created_at}
            start = {"ExclusiveStartKey": _encode(key)}
        found: list[Item] = []
        while len(found) < limit:
            with _calling("Query"):
                answer = get_dynamodb().query(**self._describe_query(day, limit - len(found)), **start)
            found += [_decode(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        return found

    def _describe_query(self, day: str, limit: int) -> dict[str, Any]:
        return {
            "TableName": self.table_name,
            "IndexName": _INDEX,
            "KeyConditionExpression": "#day = :day",
            "ExpressionAttributeNames": {"#day": "day", **{f"#{name}": name for name in _LISTED}},
            "ExpressionAttributeValues": {":day": {"S": day}},
            "ProjectionExpression": ", ".join(f"#{name}" for name in _LISTED),
            "ScanIndexForward": False,
            "Limit": limit,
        }

    def _end(self, job_id: str, values: Item, condition: str, condition_values: Item) -> bool:
        placeholders = {f":{name}": value for name, value in values.items()}
        with _calling("UpdateItem"):
            return _is_accepted(
                lambda: get_dynamodb().update_item(
                    TableName=self.table_name,
                    Key={"jobId": {"S": job_id}},
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                    ConditionExpression=" AND ".join(filter(None, ["#status = :pending", condition])),
                    ExpressionAttributeNames={f"#{name}": name for name in values},
                    ExpressionAttributeValues=_encode({**placeholders, ":pending": "PENDING", **condition_values}),
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


def sign_download(item: Item, settings: Settings, now: datetime) -> Signature:
    """Return an address that downloads the archive under its own name, and when it stops working."""
    target = {"Bucket": item["targetBucket"], "Key": item["targetKey"]}
    if item.get("versionId"):
        target["VersionId"] = item["versionId"]
    with _calling("sign"):
        url = get_s3(path_style=settings.path_style).generate_presigned_url(
            "get_object",
            Params={**target, "ResponseContentDisposition": name_download(item)},
            ExpiresIn=choose_lifetime(item, _list_credentials_seconds(settings, now)),
        )
    return Signature(url, read_expiry(url))


def _list_credentials_seconds(settings: Settings, now: datetime) -> list[int]:
    """Return how long the credentials last, as a list of one number, or none if they never end."""
    credentials = get_session().get_credentials()
    if credentials is None:
        return []
    frozen = credentials.get_frozen_credentials()  # refreshes them if they are about to end
    # botocore tells an expiry only through this attribute of its refreshable credentials.
    expiry = getattr(credentials, "_expiry_time", None)
    if isinstance(expiry, datetime):
        return [int((expiry - now).total_seconds())]
    return [settings.session_credentials_seconds] if frozen.token else []


def _encode(values: Item) -> dict[str, Any]:
    encode = TypeSerializer().serialize
    return {name: encode(value) for name, value in values.items()}


def _decode(values: Mapping[str, Any]) -> Item:
    decode = TypeDeserializer().deserialize
    return {name: _simplify(decode(value)) for name, value in values.items()}


def _simplify(value: object) -> object:
    # Fractions stay decimals: a lease is compared with what is stored, digit by digit.
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value
