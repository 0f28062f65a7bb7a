import json
from collections.abc import Iterator, Sequence

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from tests.support import lambda_context
from zip_worker import app, clients

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")
"""One for all tests: a session reads the services' models once, and they take longer than most tests."""


class Context(lambda_context.Context):
    """An invocation of the worker with 15 minutes left."""

    def __init__(self, remaining_ms: int = 900_000) -> None:
        super().__init__("zip-worker", remaining_ms)


class Aws:
    """The three services with the deployment's buckets, table and queues."""

    def __init__(self) -> None:
        self.s3: S3Client = SESSION.client("s3")
        self.sqs: SQSClient = SESSION.client("sqs")
        self.dynamodb: DynamoDBClient = SESSION.client("dynamodb")
        for bucket in ("source", "target"):
            self.s3.create_bucket(Bucket=bucket)
        self.queue_url = self.sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "900"})["QueueUrl"]
        self.dlq_url = self.sqs.create_queue(QueueName="jobs-dlq")["QueueUrl"]
        self.dynamodb.create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, objects: dict[str, bytes]) -> None:
        for key, body in objects.items():
            self.s3.put_object(Bucket="source", Key=key, Body=body)

    def put_job(self, job_id: str = "job-1", keys: Sequence[str] | None = None, **changes: str | list[str]) -> None:
        item: dict[str, str | list[str]] = {
            "jobId": job_id,
            "status": "PENDING",
            "phase": "queued",
            "sourceBucket": "source",
            "targetBucket": "target",
            "targetKey": f"zips/{job_id}.zip",
            "paths": "basename",
            "onMissing": "fail",
            "compression": "stored",
            **changes,
        }
        if keys is not None:
            item["keyListKey"] = f".zip-jobs/{job_id}.json"
            self.s3.put_object(Bucket="target", Key=f".zip-jobs/{job_id}.json", Body=json.dumps(list(keys)).encode())
        serialize = TypeSerializer().serialize
        self.dynamodb.put_item(TableName="jobs", Item={name: serialize(value) for name, value in item.items()})

    def job(self, job_id: str = "job-1") -> dict[str, str]:
        """The job's item, every value as text."""
        item = self.dynamodb.get_item(TableName="jobs", Key={"jobId": {"S": job_id}})["Item"]
        return {name: str(next(iter(value.values()))) for name, value in item.items()}

    def archive(self, job_id: str = "job-1") -> bytes:
        return self.s3.get_object(Bucket="target", Key=f"zips/{job_id}.zip")["Body"].read()

    def target_keys(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="target").get("Contents", [])]

    def uploads_in_progress(self) -> int:
        return len(self.s3.list_multipart_uploads(Bucket="target").get("Uploads", []))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setattr(clients, "get_session", lambda: SESSION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        clear_clients()
        # moto answers boto3, not bare HTTP: every read takes the careful way here.
        monkeypatch.setattr(app, "signed_reader", lambda *_: NoSignedReader())
        yield Aws()
        clear_clients()


def clear_clients() -> None:
    for make in (clients.s3_client, clients.dynamodb_client, clients.sqs_client):
        make.cache_clear()


class NoSignedReader:
    def get(self, *_: object) -> None:
        return None
