"""S3 and Lambda clients, one of each per execution environment."""

from functools import cache
from typing import TYPE_CHECKING

# Imported here, not at first use: Lambda runs imports in its init phase, with a full CPU.
import boto3
from botocore.config import Config

from .s3_get import SignedS3Reader

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

_CONNECTIONS = 64
_READ_SECONDS = 20
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=_READ_SECONDS,
    max_pool_connections=_CONNECTIONS,
    retries={"mode": "standard", "total_max_attempts": 4},
)


@cache
def get_session() -> boto3.Session:
    """Return the session that creates the clients."""
    return boto3.Session()


@cache
def get_s3(*, path_style: bool) -> "S3Client":
    """Return the S3 client; ``path_style`` keeps the bucket out of the host name, as emulators require."""
    # By default, botocore still uses the global endpoint for us-east-1.
    style = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if path_style else "virtual", "us_east_1_regional_endpoint": "regional"},
    )
    return get_session().client("s3", config=_CONFIG.merge(style))


@cache
def get_signed_reader(*, path_style: bool) -> SignedS3Reader | None:
    """Return the signed reader, or None without credentials (the boto3 client then reports the error)."""
    credentials = get_session().get_credentials()
    if credentials is None:
        return None
    return SignedS3Reader(get_s3(path_style=path_style), credentials, _CONNECTIONS, _READ_SECONDS)


@cache
def get_lambda() -> "LambdaClient":
    """Return the Lambda client."""
    return get_session().client("lambda", config=_CONFIG)
