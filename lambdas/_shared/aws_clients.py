"""The session and the botocore configurations that the packages' AWS clients have in common.

One source file, linked into each Lambda package that uses it, so that every zip carries its own copy.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

# At import, not at first use: Lambda runs imports in its init phase, with a full CPU.
import boto3
from botocore.config import Config

_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")


@cache
def get_session() -> boto3.Session:
    """Return the session of this execution environment, which holds the services' models and the credentials."""
    return boto3.Session()


def is_emulated(variables: Mapping[str, str] = os.environ) -> bool:
    """Return whether S3 is an emulator: it serves all buckets at one host and needs the bucket in the path."""
    return any(variables.get(name) for name in _ENDPOINT_VARIABLES)


def make_config(*, connect_seconds: float, read_seconds: float, attempts: int, connections: int = 10) -> Config:
    """Return a configuration with timeouts, a number of attempts, the first included, and a connection pool's size."""
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        max_pool_connections=connections,
        retries=retries,
    )


def make_short_timeout_config() -> Config:
    """Return the configuration of a client whose calls are small and must not delay the work."""
    return make_config(connect_seconds=3, read_seconds=10, attempts=4)


def configure_s3_transfer(config: Config, *, signs_bodies: bool = False) -> Config:
    """Return the configuration of an S3 client that reads and writes objects.

    It computes and checks checksums only where a call requests one: the callers send a CRC-32 with each part or object
    and check what they read by length and ETag or version. TLS and the CRC-32 protect a body already; signing its
    SHA-256 would cost more time than all other work on it.
    """
    s3: Any = {"addressing_style": "path" if is_emulated() else "virtual"}
    if not signs_bodies:
        s3["payload_signing_enabled"] = False
    transfer = Config(request_checksum_calculation="when_required", response_checksum_validation="when_required", s3=s3)
    return config.merge(transfer)


def configure_s3_presigning(config: Config, *, path_style: bool) -> Config:
    """Return the configuration of an S3 client that signs URLs, or shares its settings with one that does."""
    # botocore still signs us-east-1 for the global endpoint unless told otherwise.
    s3: Any = {
        "addressing_style": "path" if path_style else "virtual",
        "us_east_1_regional_endpoint": "regional",
    }
    return config.merge(Config(signature_version="s3v4", s3=s3))
