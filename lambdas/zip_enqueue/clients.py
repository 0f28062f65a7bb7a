"""The AWS clients of zip-enqueue, and its calls to DynamoDB, S3, SQS and IAM."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from .aws_clients import configure_s3_presigning, get_session, make_config
from .exceptions import ServiceUnavailableError
from .job_record import JobRecord, build_key, encode, format_message, is_accepted, read_record
from .settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# Three attempts of five seconds each leave time within the API's 30 seconds to remove a half-created job.
_CONFIG = make_config(connect_seconds=1, read_seconds=4, attempts=3)
_TAGS_SECONDS = 60
_STILL_QUEUED = "#status = :pending AND #phase = :queued AND attribute_not_exists(receives)"
_NAMES = {"#status": "status", "#phase": "phase"}


@cache
def get_dynamodb() -> "DynamoDBClient":
    """Return the one DynamoDB client of this execution environment."""
    return get_session().client("dynamodb", config=_CONFIG)


@cache
def get_s3(*, path_style: bool) -> "S3Client":
    """Return the one S3 client of this execution environment."""
    return get_session().client("s3", config=configure_s3_presigning(_CONFIG, path_style=path_style))


@cache
def get_sqs() -> "SQSClient":
    """Return the one SQS client of this execution environment."""
    return get_session().client("sqs", config=_CONFIG)


@cache
def get_iam() -> Any:  # noqa: ANN401  # its types are not installed for two calls
    """Return the one IAM client of this execution environment."""
    return get_session().client("iam", config=_CONFIG)


def read_principal_tag(arn: str, key: str) -> str | None:
    """Return a tag of a role or user of this account, ``None`` if it is not set; cached for a minute.

    Raises:
        ServiceUnavailableError: the call to IAM failed.
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
        else:  # the root user and federated users have no tags
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
    """The job table, the bucket of key lists and the queue; every method raises ServiceUnavailableError on failure."""

    settings: Settings

    def create_job(self, item: JobRecord) -> bool:
        """Write a new job; return False if its id exists."""
        return self._put(item, "attribute_not_exists(jobId)")

    def read_job(self, job_id: str) -> JobRecord | None:
        """Return the job by a consistent read, or None."""
        with _calling("GetItem"):
            return read_record(get_dynamodb(), self.settings.table_name, job_id)

    def keep_job(self, item: JobRecord) -> bool:
        """Record that a repeated request relies on the job; return False if it is gone or a worker has taken it."""
        return self._put(
            {**item, "repeated": True}, _STILL_QUEUED, _NAMES, {":pending": "PENDING", ":queued": "queued"}
        )

    def remove_job(self, item: JobRecord) -> None:
        """Delete the job if this request created it, no worker has taken it and no other request relies on it."""
        condition = f"{_STILL_QUEUED} AND createdAt = :created AND attribute_not_exists(repeated)"
        values = {":pending": "PENDING", ":queued": "queued", ":created": item["createdAt"]}
        with _calling("DeleteItem"):
            is_accepted(
                lambda: get_dynamodb().delete_item(
                    TableName=self.settings.table_name,
                    Key=build_key(item["jobId"]),
                    ConditionExpression=condition,
                    ExpressionAttributeNames=_NAMES,
                    ExpressionAttributeValues=encode(values),
                )
            )

    def write_key_list(self, item: JobRecord, keys: list[str]) -> None:
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
            get_sqs().send_message(QueueUrl=self.settings.queue_url, MessageBody=format_message(job_id))

    def _put(
        self,
        item: JobRecord,
        condition: str,
        names: dict[str, str] | None = None,
        values: dict[str, str] | None = None,
    ) -> bool:
        placeholders: Any = {}
        if names and values:
            placeholders = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": encode(values)}
        with _calling("PutItem"):
            return is_accepted(
                lambda: get_dynamodb().put_item(
                    TableName=self.settings.table_name,
                    Item=encode(item),
                    ConditionExpression=condition,
                    **placeholders,
                )
            )
