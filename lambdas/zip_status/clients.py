"""The AWS clients of zip-status."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .aws_clients import configure_s3_presigning, get_session, make_config
from .exceptions import ServiceUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_CONFIG = make_config(connect_seconds=1, read_seconds=3, attempts=3)


@cache
def get_dynamodb() -> "DynamoDBClient":
    """Return the one DynamoDB client of this execution environment."""
    return get_session().client("dynamodb", config=_CONFIG)


@cache
def get_s3(*, path_style: bool) -> "S3Client":
    """Return the one S3 client of this execution environment."""
    return get_session().client("s3", config=configure_s3_presigning(_CONFIG, path_style=path_style))


@contextmanager
def calling(operation: str) -> Iterator[None]:
    """Turn the errors of AWS's clients into ServiceUnavailableError."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailableError(f"{operation}: {error}") from error
