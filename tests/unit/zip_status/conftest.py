import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client

from tests.support import lambda_context
from tests.unit.api_document import Event, load_event
from tests.unit.api_document.api_document import check_answer
from zip_status import app, clients
from zip_status.aws_clients import get_session

JOB_ID = "0b8f8a52-6d1e-4a58-9a8c-1e0d2b0f6a11"
READY: dict[str, Any] = {
    "status": "READY",
    "phase": "processing",
    "sizeBytes": 51_234_567,
    "crc32": "1a2b3c4d",
    "etag": "9b2cf535f27731c974343645a3985328-7",
    "files": 499,
    "skipped": 1,
    "skippedKeys": ["uploads/gone.pdf"],
    "completedAt": "2026-11-21T07:30:12.500000Z",
}


class Context(lambda_context.Context):
    """An invocation of the function."""

    def __init__(self) -> None:
        super().__init__("zip-status", memory_mb=512)


class Answer:
    """An answer of the handler that has been checked against the OpenAPI document."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.status: int = answer["statusCode"]
        self.headers: dict[str, str] = answer["headers"]
        self.text: str = answer["body"]
        self.body: dict[str, Any] = json.loads(self.text)


@cache
def make_clients() -> tuple[DynamoDBClient, S3Client]:
    """Return the tests' own clients, made once: that takes longer than any test."""
    return boto3.client("dynamodb"), boto3.client("s3")


def format_time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Service:
    """The handler over the deployment's job table and target bucket."""

    def __init__(self) -> None:
        self.dynamodb, self.s3 = make_clients()
        self.s3.create_bucket(Bucket="target")
        self._intercepted: list[Callable[[], None]] = []
        self.dynamodb.create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": "jobId", "AttributeType": "S"},
                {"AttributeName": "day", "AttributeType": "S"},
                {"AttributeName": "createdAt", "AttributeType": "S"},
                {"AttributeName": "owner", "AttributeType": "S"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": index,
                    "KeySchema": [
                        {"AttributeName": key, "KeyType": "HASH"},
                        {"AttributeName": "createdAt", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
                for index, key in (("byDay", "day"), ("byOwner", "owner"))
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def put_job(self, job_id: str = JOB_ID, age: timedelta = timedelta(0), **values: object) -> None:
        created_at = format_time(datetime.now(UTC) - age)
        item: dict[str, Any] = {
            "jobId": job_id,
            "day": created_at[:10],
            "createdAt": created_at,
            "status": "PENDING",
            "phase": "queued",
            "sourceBucket": "source",
            "targetBucket": "target",
            "targetKey": f"zips/{job_id}.zip",
            "archiveName": f"{job_id}.zip",
            "presignTtlSeconds": 600,
        }
        item |= values
        self.dynamodb.put_item(TableName="jobs", Item=encode(item))
        if item["status"] == "READY":
            self.s3.put_object(Bucket="target", Key=item["targetKey"], Body=b"archive")

    def list_objects(self) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket="target").get("Contents", [])]

    def change_job(self, **values: object) -> None:
        self.dynamodb.update_item(
            TableName="jobs",
            Key={"jobId": {"S": JOB_ID}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=encode({f":{name}": value for name, value in values.items()}),
        )

    def read_job(self) -> dict[str, Any]:
        item = self.dynamodb.get_item(TableName="jobs", Key={"jobId": {"S": JOB_ID}})["Item"]
        decode = TypeDeserializer().deserialize
        return {name: decode(value) for name, value in item.items()}

    def get(self, job_id: str = JOB_ID) -> Answer:
        return self.send(load_event("get_job") | {"pathParameters": {"jobId": job_id}})

    def cancel(self, job_id: str = JOB_ID) -> Answer:
        return self.send(load_event("cancel_job") | {"pathParameters": {"jobId": job_id}})

    def list_jobs(self, **query: str) -> Answer:
        return self.send(load_event("list_jobs") | {"queryStringParameters": query})

    def send(self, event: Event) -> Answer:
        answer = app.lambda_handler(event, Context())
        check_answer(event["routeKey"], answer)
        return Answer(answer)

    def intercept(self, operation: str, action: Callable[[], None], client: str = "dynamodb") -> None:
        """Do ``action`` once, right before the handler's next call of ``operation``."""
        name = f"before-call.{client}.{operation}"
        events = (clients.get_dynamodb() if client == "dynamodb" else clients.get_s3(path_style=False)).meta.events

        def stop() -> None:
            events.unregister(name, act)
            self._intercepted.remove(stop)

        def act(**_: object) -> None:
            stop()
            action()

        events.register(name, act)
        self._intercepted.append(stop)

    def check_interceptions(self) -> None:
        """Fail if a call that a test wanted to intercept never came."""
        missed = list(self._intercepted)
        for stop in missed:
            stop()
        assert not missed


def lose_connection() -> None:
    raise EndpointConnectionError(endpoint_url="https://secret-endpoint.internal")


def encode(values: dict[str, Any]) -> dict[str, Any]:
    serialize = TypeSerializer().serialize
    return {
        name: serialize(Decimal(str(value)) if isinstance(value, float) else value) for name, value in values.items()
    }


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("TABLE_NAME", "jobs")
    app.load_settings.cache_clear()
    with mock_aws():
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        service = Service()
        yield service
    service.check_interceptions()
    app.load_settings.cache_clear()


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Give a function that returns the handler's log lines so far, DEBUG included."""
    stream = io.StringIO()
    handler = app.logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before, level = handler.setStream(stream), app.logger.log_level
    app.logger.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    app.logger.setLevel(level)
    handler.setStream(before or io.StringIO())


@pytest.fixture
def fresh_signer(service: Service) -> Iterator[None]:
    """Let the next signature be made with the region, address and credentials that the test sets."""
    clients.get_dynamodb()  # is to stay as it is

    def forget() -> None:
        get_session.cache_clear()
        clients.get_s3.cache_clear()

    forget()
    yield
    forget()
