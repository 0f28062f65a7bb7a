"""The AWS clients, the HTTP session, and readers of the column mapping and the secret."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from .aws_clients import configure_s3_transfer, get_session, make_config, make_short_timeout_config
from .converting.mapping import SHIPPED, Mapping, load_mapping
from .exceptions import InsertError, MappingError

if TYPE_CHECKING:
    import requests
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

_USER_KEYS = ("username", "user")


@cache
def s3_client(connections: int, connect_seconds: int, read_seconds: int, attempts: int) -> S3Client:
    """Return an S3 client with room for ``connections`` at once."""
    config = make_config(
        connect_seconds=connect_seconds, read_seconds=read_seconds, attempts=attempts, connections=connections
    )
    return get_session().client("s3", config=configure_s3_transfer(config, signs_bodies=True))


@cache
def sqs_client() -> SQSClient:
    """Return the client that copies messages into the failure queue."""
    return get_session().client("sqs", config=make_short_timeout_config())


@cache
def secrets_client() -> SecretsManagerClient:
    """Return the Secrets Manager client."""
    return get_session().client("secretsmanager", config=make_short_timeout_config())


@cache
def http_session() -> requests.Session:
    """Return the session whose connections to ClickHouse stay open between invocations."""
    import requests  # noqa: PLC0415  # a dry run does not need it

    return requests.Session()


@cache
def read_mapping(url: str | None, s3: S3Client) -> Mapping:
    """Return the mapping at an ``s3://`` URL, or the shipped one; each execution environment reads it once.

    Raises:
        MappingError: it cannot be read, or is not a mapping.
    """
    if url is None:
        return load_mapping(SHIPPED.read_bytes())
    bucket, _, key = url.removeprefix("s3://").partition("/")
    try:
        return load_mapping(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except (ClientError, BotoCoreError) as error:
        raise MappingError(f"{url} cannot be read: {_name_error(error)}") from error


def read_secret(name: str) -> tuple[str, str]:
    """Return the user and password from a secret, which is JSON with ``username`` and ``password``; not cached.

    Raises:
        InsertError: it cannot be read or has another form; the message contains nothing of it.
    """
    try:
        document: Any = json.loads(secrets_client().get_secret_value(SecretId=name)["SecretString"])
        user = next(document[key] for key in _USER_KEYS if key in document)
        return str(user), str(document["password"])
    except (ClientError, BotoCoreError) as error:
        raise InsertError(f"the secret {name} cannot be read: {_name_error(error)}") from error
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise InsertError(f"the secret {name} is not JSON with username and password") from error


def _name_error(error: ClientError | BotoCoreError) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
