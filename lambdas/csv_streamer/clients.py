"""AWS clients, and an asynchronous S3 that calls boto3 in threads and counts the requests."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
from botocore.config import Config

from .schemas import LEASE_PREFIX

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

_COUNTED = {
    "CreateMultipartUpload": "create_multipart",
    "UploadPart": "upload_part",
    "CompleteMultipartUpload": "complete_multipart",
    "AbortMultipartUpload": "abort_multipart",
    "PutObject": "put_object",
    "GetObject": "get_object",
    "HeadObject": "head_object",
    "ListObjectsV2": "list_objects",
    "DeleteObject": "delete_object",
    "CopyObject": "copy_object",
    "UploadPartCopy": "upload_part_copy",
}
_LEASES = quote(f"/{LEASE_PREFIX}")


class RequestCounter:
    """Counts the requests that a client sends, including retries."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def __call__(self, event_name: str, request: AWSPreparedRequest | None = None, **_: object) -> None:
        """Count one request: a handler of botocore's ``before-send.s3.<operation>``."""
        operation = event_name.rpartition(".")[2]
        name = "lease" if request is not None and _LEASES in str(request.url) else _COUNTED.get(operation, operation)
        with self._lock:
            self._counts[name] += 1

    def as_dict(self) -> dict[str, int]:
        """Return the requests by operation, and their total."""
        with self._lock:
            counts = dict.fromkeys([*_COUNTED.values(), "lease"], 0) | dict(self._counts)
        return {**counts, "total": sum(counts.values())}


class S3:
    """An S3 client whose calls the event loop awaits while a thread makes them."""

    def __init__(self, client: S3Client, threads: int) -> None:
        self.client = client
        self.counter = RequestCounter()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="s3")
        client.meta.events.register("before-send.s3", self.counter, unique_id="csv-streamer")

    async def run[**P, T](self, call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Return what ``call``, a method of :attr:`client`, returns."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **options))

    def close(self) -> None:
        """Stop counting and the threads, without waiting for running calls."""
        self.client.meta.events.unregister("before-send.s3", unique_id="csv-streamer")
        self._threads.shutdown(wait=False, cancel_futures=True)


@cache
def s3_client(connections: int) -> S3Client:
    """Return an S3 client for up to ``connections`` concurrent connections."""
    is_emulated = "AWS_ENDPOINT_URL" in os.environ or "AWS_ENDPOINT_URL_S3" in os.environ
    config = Config(
        max_pool_connections=connections,
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 5},
        # Checksums only where the code requests them: for every part and object that is written.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={
            "addressing_style": "path" if is_emulated else "virtual",
            # TLS and the CRC-32 already protect a body; its SHA-256 would cost more time than all other work.
            "payload_signing_enabled": False,
        },
    )
    return _session().client("s3", config=config)


@cache
def lambda_client() -> LambdaClient:
    """Return the client with which the function invokes itself."""
    return _session().client("lambda", config=_short_timeout_config())


@cache
def secrets_client() -> SecretsManagerClient:
    """Return the Secrets Manager client."""
    return _session().client("secretsmanager", config=_short_timeout_config())


@cache
def _session() -> boto3.Session:
    return boto3.Session()


def _short_timeout_config() -> Config:
    retries: Any = {"mode": "standard", "total_max_attempts": 4}
    return Config(connect_timeout=3, read_timeout=10, retries=retries)
