"""The AWS clients, one of each for an execution environment, made at first use."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from botocore.exceptions import NoCredentialsError

from .aws_clients import configure_s3_transfer, get_session, make_config
from .s3_get import SignedS3Reader

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@cache
def s3_client(pool_size: int) -> S3Client:
    """Return an S3 client for up to ``pool_size`` concurrent connections."""
    config = make_config(connect_seconds=5, read_seconds=60, attempts=5, connections=pool_size)
    return get_session().client("s3", config=configure_s3_transfer(config))


@cache
def signed_reader(pool_size: int) -> SignedS3Reader:
    """Return the reader of single objects that signs its own requests, with the S3 client's credentials."""
    credentials = get_session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    return SignedS3Reader(s3_client(pool_size), credentials, pool_size, read_seconds=30)


@cache
def dynamodb_client() -> DynamoDBClient:
    """Return the DynamoDB client."""
    return get_session().client("dynamodb", config=make_config(connect_seconds=5, read_seconds=5, attempts=5))


@cache
def sqs_client() -> SQSClient:
    """Return the SQS client; it gives up within 10 s, because a heartbeat that waits longer loses its lease."""
    return get_session().client("sqs", config=make_config(connect_seconds=2, read_seconds=3, attempts=2))
