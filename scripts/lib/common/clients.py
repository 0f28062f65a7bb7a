"""AWS clients of the scripts; endpoint URL, region and credentials come from the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def make_s3_client(connections: int = 10) -> S3Client:
    """Return an S3 client for ``connections`` concurrent requests; it retries transient errors."""
    config = Config(
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": 5},
        # An emulator has no per-bucket host names.
        s3={"addressing_style": "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"},
    )
    return boto3.client("s3", region_name=os.environ.get("AWS_REGION"), config=config)
