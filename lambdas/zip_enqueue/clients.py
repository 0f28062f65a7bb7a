"""The DynamoDB, S3 and SQS calls of zip-enqueue."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

# At import, not at first use: Lambda runs imports in its init phase, with a full CPU.
import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .exceptions import ServiceUnavailableError
from .settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

type Item = dict[str, Any]

# Three tries of five seconds each leave room within the API's 30 seconds to take a half-made job back.
_CONFIG = Config(connect_timeout=1, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3})
_TAGS_SECONDS = 60
_STILL_QUEUED = "#status = :pending AND #phase = :queued AND attribute_not_exists(receives)"
_NAMES = {"#status": "status", "#phase": "phase"}


@cache
def get_dynamodb() -> "DynamoDBClient":
    """Return the one DynamoDB client of this execution environment."""
    return boto3.client("dynamodb", config=_CONFIG)


@cache
def get_s3(*, path_style: bool) -> "S3Client":
    """Return the one S3 client of this execution environment."""
    style = Config(signature_version="s3v4", s3={"addressing_style": "path" if path_style else "virtual"})
    return boto3.client("s3", config=_CONFIG.merge(style))


@cache
def get_sqs() -> "SQSClient":
    """Return the one SQS client of this execution environment."""
    return boto3.client("sqs", config=_CONFIG)


@cache
def get_iam() -> Any:  # noqa: ANN401  # its types are not installed for two calls
    """Return the one IAM client of this execution environment."""
    return boto3.client("iam", config=_CONFIG)


def read_principal_tag(arn: str, key: str) -> str | None:
    """Return a tag of a role or user of this account, ``None`` without it; it is remembered for a minute.

    Raises:
        ServiceUnavailableError: IAM does not tell.
    """
    return _read_tags(arn, int(time.monotonic() // _TAGS_SECONDS)).get(key)


@lru_cache(maxsize=256)
def _read_tags(arn: str, _period: int) -> Mapping[str, str]:
    kind, _, name = arn.rpartition(":")[2].partition("/")
    iam = get_iam()
    with _calling("ListTags"):
        if kind == "role":
            tags = [tag for page in iam.get_paginator("list_role_tags").paginate(RoleName=name) for tag in page["Tags"]]
        elif kind == "user":
            tags = [tag for page in iam.get_paginator("list_user_tags").paginate(UserName=name) for tag in page["Tags"]]
        else:  # the root, federated users: they have none
            tags = []
    return {tag["Key"]: tag["Value"] for tag in tags}


@contextmanager
def _calling(operation: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailableError(f"{operation}: {error}") from error


@dataclass(frozen=True)
class AwsBackend:
    """The job table, the bucket of key lists and the queue; implements :class:`~.core.Backend`."""

    settings: Settings

    def create_job(self, item: Item) -> bool:
        """Write a new job; return False if its id is taken."""
        return self._put(item, "attribute_not_exists(jobId)")

    def read_job(self, job_id: str) -> Item | None:
        """Return the job by a consistent read, or None."""
        with _calling("GetItem"):
            answer = get_dynamodb().get_item(
                TableName=self.settings.table_name, Key={"jobId": {"S": job_id}}, ConsistentRead=True
            )
        found = answer.get("Item")
        decode = TypeDeserializer().deserialize
        return {name: decode(value) for name, value in found.items()} if found else None

    def keep_job(self, item: Item) -> bool:
        """Note that a repeated request relies on the job; return False if it is gone or a worker has had it."""
        return self._put(
            {**item, "repeated": True}, _STILL_QUEUED, _NAMES, {":pending": "PENDING", ":queued": "queued"}
        )

    def remove_job(self, item: Item) -> None:
        """Delete the job if this request created it, no worker has had it and no other request relies on it."""
        condition = f"{_STILL_QUEUED} AND createdAt = :created AND attribute_not_exists(repeated)"
        values = {":pending": "PENDING", ":queued": "queued", ":created": item["createdAt"]}
        with _calling("DeleteItem"):
            _is_accepted(
                lambda: get_dynamodb().delete_item(
                    TableName=self.settings.table_name,
                    Key={"jobId": {"S": item["jobId"]}},
                    ConditionExpression=condition,
                    ExpressionAttributeNames=_NAMES,
                    ExpressionAttributeValues=_encode(values),
                )
            )

    def write_key_list(self, item: Item, keys: list[str]) -> None:
        """Write ``keys`` as a JSON array to ``keyListKey`` in the target bucket."""
        with _calling("PutObject"):
            get_s3(path_style=self.settings.path_style).put_object(
                Bucket=item["targetBucket"],
                Key=item["keyListKey"],
                Body=json.dumps(keys, ensure_ascii=False).encode(),
                ContentType="application/json",
            )

    def send_message(self, job_id: str) -> None:
        """Queue the job for the worker."""
        with _calling("SendMessage"):
            get_sqs().send_message(QueueUrl=self.settings.queue_url, MessageBody=json.dumps({"jobId": job_id}))

    def _put(self, item: Item, condition: str, names: dict[str, str] | None = None, values: Item | None = None) -> bool:
        placeholders: Any = {}
        if names and values:
            placeholders = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": _encode(values)}
        with _calling("PutItem"):
            return _is_accepted(
                lambda: get_dynamodb().put_item(
                    TableName=self.settings.table_name,
                    Item=_encode(item),
                    ConditionExpression=condition,
                    **placeholders,
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


def _encode(values: Item) -> dict[str, Any]:
    encode = TypeSerializer().serialize
    return {name: encode(value) for name, value in values.items()}
