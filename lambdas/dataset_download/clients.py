"""S3 and Lambda clients, one of each per execution environment."""

from functools import cache
from typing import TYPE_CHECKING

from .aws_clients import configure_s3_presigning, get_session, make_config
from .s3_get import SignedS3Reader

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

_CONNECTIONS = 64
_READ_SECONDS = 20
_CONFIG = make_config(connect_seconds=3, read_seconds=_READ_SECONDS, attempts=4, connections=_CONNECTIONS)


@cache
def get_s3(*, path_style: bool) -> "S3Client":
    """Return the S3 client; ``path_style`` keeps the bucket out of the host name, as emulators require."""
    return get_session().client("s3", config=configure_s3_presigning(_CONFIG, path_style=path_style))


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
