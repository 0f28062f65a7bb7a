"""The deployed stack as the tests use it: its API, its buckets and its queues."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from lib.common.settings import guess_auth, is_loopback

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

ROOT = Path(__file__).parents[2]
OUTPUTS = ROOT / ".local" / "outputs.json"
NAMES = (
    "aws_endpoint_url",
    "aws_region",
    "api_base",
    "zip_source_bucket",
    "zip_destination_bucket",
    "zip_queue_url",
    "zip_dlq_url",
    "zip_jobs_table",
    "csv_bucket",
    "csv_streamer_function",
    "aggregator_source_bucket",
    "distribution_bucket",
    "archive_bucket",
    "aggregator_queue_url",
    "aggregator_dlq_url",
    "idempotency_table",
    "data_aggregator_function",
    "xapi_bucket",
    "xapi_prefix",
    "xapi_queue_url",
    "xapi_dlq_url",
    "xapi_etl_function",
    "clickhouse_url",
    "clickhouse_database",
    "clickhouse_table",
    "dataset_bucket",
    "dataset_prefix",
    "dataset_url",
    "dataset_stream_url",
    "dataset_export_bucket",
    "dataset_download_function",
    "dataset_export_function",
)
OPTIONAL = {"aws_endpoint_url", *(name for name in NAMES if name.startswith(("xapi_", "clickhouse_", "dataset_")))}
"""Empty in AWS, or where a deployment knows no ClickHouse or no datasets."""
JOB_SECONDS = 400
"""More than any job here needs, a lease that has to run out first included."""
_CONNECTIONS = 20

type Job = dict[str, Any]


class NotDeployedError(RuntimeError):
    """No stack is deployed."""


def read_outputs() -> dict[str, str]:
    """Return the stack's outputs; the environment's upper-case names win over the file."""
    found = json.loads(OUTPUTS.read_text()) if OUTPUTS.is_file() else {}
    outputs = {name: os.environ.get(name.upper()) or found.get(name) or "" for name in NAMES}
    missing = [name for name in NAMES if not outputs[name] and name not in OPTIONAL]
    if missing:
        raise NotDeployedError(f"run make up deploy-local: {', '.join(missing)} not in {OUTPUTS} or the environment")
    return outputs


def wait_until[Found](look: Callable[[], Found | None], what: str, seconds: float = 60, pause: float = 0.2) -> Found:
    """Return the first answer of ``look`` that is something; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


@dataclass(frozen=True)
class Stack:
    """One deployment of Sluice."""

    outputs: dict[str, str]
    s3: S3Client
    sqs: SQSClient
    dynamodb: DynamoDBClient
    functions: LambdaClient
    api: requests.Session
    created: list[str] = field(default_factory=list)
    """Ids of the jobs created by the running test."""

    @property
    def source(self) -> str:
        return self.outputs["zip_source_bucket"]

    @property
    def target(self) -> str:
        return self.outputs["zip_destination_bucket"]

    @property
    def is_local(self) -> bool:
        return is_loopback(self.outputs["aws_endpoint_url"])

    def url(self, path: str) -> str:
        return self.outputs["api_base"].rstrip("/") + path

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.api.request(method, self.url(path), timeout=60, **options)

    def create_job(self, **body: Any) -> str:
        answer = self.call("POST", "/zip-jobs", json=body)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["jobId"]
        self.created.append(job_id)
        return job_id

    def get_job(self, job_id: str) -> Job:
        answer = self.call("GET", f"/zip-jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        job: Job = answer.json()
        return job

    def wait_for_end(self, job_id: str, seconds: float = JOB_SECONDS) -> Job:
        def look() -> Job | None:
            job = self.get_job(job_id)
            return None if job["status"] == "PENDING" else job

        return wait_until(look, f"the end of job {job_id}", seconds)

    def finish_job(self, **body: Any) -> Job:
        """Create a job and return its READY answer."""
        job = self.wait_for_end(self.create_job(**body))
        assert job["status"] == "READY", job
        return job

    def fail_job(self, **body: Any) -> str:
        """Create a job and return the error of its FAILED answer."""
        job = self.wait_for_end(self.create_job(**body))
        assert job["status"] == "FAILED", job
        error: str = job["error"]
        return error

    def read_item(self, job_id: str) -> dict[str, Any]:
        answer = self.dynamodb.get_item(
            TableName=self.outputs["zip_jobs_table"], Key={"jobId": {"S": job_id}}, ConsistentRead=True
        )
        return dict(answer["Item"])

    def put_objects(self, objects: Mapping[str, bytes]) -> list[str]:
        """Put objects into the source bucket, many at once; return their keys in order."""
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(lambda one: self.s3.put_object(Bucket=self.source, Key=one[0], Body=one[1]), objects.items()))
        return list(objects)

    def download(self, job: Job, file: Path) -> Path:
        """Download a READY job's archive by its signed URL alone."""
        with requests.get(job["downloadUrl"], stream=True, timeout=60) as answer, file.open("wb") as opened:
            assert answer.status_code == 200, answer.text
            for chunk in answer.iter_content(1 << 20):
                opened.write(chunk)
        return file

    def list_versions(self, key: str) -> list[str]:
        """Return the version ids of a key of the target bucket, delete markers included."""
        answer = self.s3.list_object_versions(Bucket=self.target, Prefix=key)
        entries = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        return [entry["VersionId"] for entry in entries]

    def list_uploads(self, job_id: str) -> list[str]:
        """Return the ids of a job's unfinished multipart uploads."""
        uploads = self.s3.list_multipart_uploads(Bucket=self.target).get("Uploads", [])
        return [upload["UploadId"] for upload in uploads if job_id in upload["Key"]]

    def send_message(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.outputs["zip_queue_url"], MessageBody=body)

    def wait_for_empty_queue(self) -> None:
        """Return once the queue has been empty, in flight included, for two looks in a row."""
        looks: list[bool] = []

        def look() -> bool:
            attributes = self.sqs.get_queue_attributes(
                QueueUrl=self.outputs["zip_queue_url"],
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
            looks.append(set(attributes.values()) == {"0"})
            return looks[-2:] == [True, True]

        wait_until(look, "an empty queue", JOB_SECONDS, pause=0.5)

    @contextlib.contextmanager
    def changed_environment(self, function: str, **variables: str) -> Iterator[None]:
        """Give a function other variables while the block lasts."""
        before = self.functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        self._set_environment(function, before | variables)
        try:
            yield
        finally:
            self._set_environment(function, before)

    def _set_environment(self, function: str, variables: Mapping[str, str]) -> None:
        self.functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables})

        def look() -> bool:
            found = self.functions.get_function_configuration(FunctionName=function)
            return found.get("LastUpdateStatus", "Successful") == "Successful"

        wait_until(look, f"{function} to be updated")

    @contextlib.contextmanager
    def quick_returns(self, queue: str, seconds: int = 1) -> Iterator[None]:
        """Have failed messages of a queue come back after seconds while the block lasts."""
        names: Any = ["VisibilityTimeout"]
        before = self.sqs.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=names)["Attributes"]
        self.sqs.set_queue_attributes(QueueUrl=self.outputs[queue], Attributes={"VisibilityTimeout": str(seconds)})
        try:
            yield
        finally:
            self.sqs.set_queue_attributes(QueueUrl=self.outputs[queue], Attributes=before)

    @contextlib.contextmanager
    def paused_queue(self, queue: str = "zip_queue_url") -> Iterator[None]:
        """Keep messages from the function while the block lasts."""
        answer = self.sqs.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=["QueueArn"])
        found = self.functions.list_event_source_mappings(EventSourceArn=answer["Attributes"]["QueueArn"])
        # Asked twice by a client that did not wait, the emulator makes two, where AWS refuses the second.
        mappings = [mapping["UUID"] for mapping in found["EventSourceMappings"]]
        for mapping in mappings:
            self._switch(mapping, on=False)
        try:
            yield
        finally:
            for mapping in mappings:
                self._switch(mapping, on=True)

    def _switch(self, mapping_id: str, *, on: bool) -> None:
        self.functions.update_event_source_mapping(UUID=mapping_id, Enabled=on)
        wanted = "Enabled" if on else "Disabled"

        def look() -> bool:
            return self.functions.get_event_source_mapping(UUID=mapping_id)["State"] == wanted

        wait_until(look, f"the event source mapping to be {wanted}", 120)

    def clean_up(self, prefix: str) -> None:
        """Delete the running test's objects; jobs are left to the table's TTL."""
        for job_id in self.created:
            item = self.read_item(job_id)
            self.delete_versions(self.target, item["targetKey"]["S"])
        self.created.clear()
        for start in (prefix, f"/{prefix}"):
            self.delete_versions(self.source, start)

    def delete_versions(self, bucket: str, prefix: str) -> None:
        """Delete every version of every object whose key begins with ``prefix``."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
            if objects:
                self.s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})  # type: ignore[typeddict-item]


class SignedByCaller(requests.auth.AuthBase):
    """Signs requests to an API or a Function URL that wants it as the caller's AWS identity."""

    def __init__(self, region: str, service: str = "execute-api") -> None:
        self._credentials = boto3.Session().get_credentials()
        self._region = region
        self._service = service

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        assert self._credentials, "no AWS credentials to sign requests with"
        signed = AWSRequest(method=request.method, url=request.url, data=request.body)
        SigV4Auth(self._credentials.get_frozen_credentials(), self._service, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


def open_stack(outputs: dict[str, str]) -> Stack:
    """Return the stack that the outputs describe."""
    endpoint = outputs["aws_endpoint_url"] or None
    is_local = is_loopback(endpoint or "")
    fixed = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} if is_local else {}
    session = boto3.Session(region_name=outputs["aws_region"], **fixed)  # type: ignore[arg-type]
    style = {"addressing_style": "path" if endpoint else "auto"}
    config = Config(max_pool_connections=_CONNECTIONS, s3=style)  # type: ignore[arg-type]
    return Stack(
        outputs=outputs,
        s3=session.client("s3", endpoint_url=endpoint, config=config),
        sqs=session.client("sqs", endpoint_url=endpoint, config=config),
        dynamodb=session.client("dynamodb", endpoint_url=endpoint, config=config),
        functions=session.client("lambda", endpoint_url=endpoint, config=config),
        api=_open_api(outputs),
    )


def _open_api(outputs: dict[str, str]) -> requests.Session:
    api = requests.Session()
    auth = os.environ.get("API_AUTH") or guess_auth(outputs["api_base"])
    if auth == "AWS_IAM":
        api.auth = SignedByCaller(outputs["aws_region"])
    elif auth == "JWT":
        api.headers["Authorization"] = f"Bearer {os.environ['API_TOKEN']}"
    return api


def make_prefix() -> str:
    """Return a prefix that no other test uses."""
    return f"e2e/{uuid.uuid4().hex[:12]}/"


def basenames(keys: Sequence[str]) -> list[str]:
    return [key.rpartition("/")[2] for key in keys]
