"""AWS clients, and an asynchronous S3 that calls boto3 in threads and counts the requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote

from .aws_clients import configure_s3_transfer, get_session, make_config, make_short_timeout_config
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
    config = make_config(connect_seconds=5, read_seconds=60, attempts=5, connections=connections)
    return get_session().client("s3", config=configure_s3_transfer(config))


@cache
def lambda_client() -> LambdaClient:
    """Return the client with which the function invokes itself."""
    return get_session().client("lambda", config=make_short_timeout_config())


@cache
def secrets_client() -> SecretsManagerClient:
    """Return the Secrets Manager client."""
    return get_session().client("secretsmanager", config=make_short_timeout_config())
