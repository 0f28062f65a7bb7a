"""The AWS clients, made once per process at first use."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from .s3_get import SignedS3Reader

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@cache
def _session() -> boto3.Session:
    return boto3.Session()


@cache
def s3_client(pool_size: int) -> S3Client:
    """Return an S3 client with room for ``pool_size`` connections at once.

    Checksums are the worker's own business: parts carry a CRC-32 that was computed beside their upload, and what is
    read is checked by length and ETag.
    """
    is_emulated = "AWS_ENDPOINT_URL" in os.environ or "AWS_ENDPOINT_URL_S3" in os.environ
    config = _config(read_timeout_seconds=60).merge(
        Config(
            max_pool_connections=pool_size,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={
                "addressing_style": "path" if is_emulated else "virtual",
                # TLS and the CRC-32 protect a body already; its SHA-256 would cost more time than all else here.
                "payload_signing_enabled": False,
            },
        )
    )
    return _session().client("s3", config=config)


@cache
def quick_getter(pool_size: int) -> SignedS3Reader:
    """Return the quick reader, with the S3 client's credentials."""
    credentials = _session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    return SignedS3Reader(s3_client(pool_size), credentials, pool_size, read_seconds=30)


@cache
def dynamodb_client() -> DynamoDBClient:
    """Return the DynamoDB client."""
    return _session().client("dynamodb", config=_config(read_timeout_seconds=5))


@cache
def sqs_client() -> SQSClient:
    """Return the SQS client; it gives up within 10 s, since a heartbeat that waits longer loses its lease."""
    quickly = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
    return _session().client("sqs", config=quickly)


def _config(read_timeout_seconds: int) -> Config:
    retries = {"mode": "standard", "total_max_attempts": 5}
    return Config(connect_timeout=5, read_timeout=read_timeout_seconds, retries=retries)  # type: ignore[arg-type]
