import io
import json
import logging
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from tests.support import lambda_context
from tests.unit.api_document import Event, load_event
from tests.unit.api_document.api_document import check_answer
from zip_enqueue import app, clients


class Context(lambda_context.Context):
    """An invocation of the function."""

    def __init__(self) -> None:
        super().__init__("zip-enqueue", memory_mb=512)


class Answer:
    """An answer of the handler that has been checked against the OpenAPI document."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.status: int = answer["statusCode"]
        self.headers: dict[str, str] = answer["headers"]
        self.text: str = answer["body"]
        self.body: dict[str, Any] = json.loads(self.text)

    @property
    def fields(self) -> list[str]:
        return [error["field"] for error in self.body["errors"]]


@cache
def make_clients() -> tuple[S3Client, SQSClient, DynamoDBClient]:
    """Return the tests' own clients, made once: that takes longer than any test."""
    return boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb")


class Service:
    """The handler over the deployment's table, buckets and queue."""

    def __init__(self) -> None:
        self.s3, self.sqs, self.dynamodb = make_clients()
        self._intercepted: list[Callable[[], None]] = []
        for bucket in ("source", "other-source", "target", "other-target"):
            self.s3.create_bucket(Bucket=bucket)
        self.queue_url = self.sqs.create_queue(QueueName="jobs")["QueueUrl"]
        self.dynamodb.create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def post(self, body: object = None, *, key: str | None = None, event: Event | None = None) -> Answer:
        event = event or load_event("create_job")
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        if key is not None:
            event["headers"]["idempotency-key"] = key
        answer = app.lambda_handler(event, Context())
        check_answer("POST /zip-jobs", answer)
        return Answer(answer)

    def intercept(self, operation: str, action: Callable[[], None]) -> None:
        """Do ``action`` once, right before the handler's next call of ``operation`` (``s3.PutObject``)."""
        name = f"before-call.{operation}"
        own: dict[str, Any] = {
            "s3": clients.get_s3(path_style=False),
            "sqs": clients.get_sqs(),
            "dynamodb": clients.get_dynamodb(),
        }
        events = own[operation.split(".", maxsplit=1)[0]].meta.events

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

    def read_jobs(self) -> list[dict[str, Any]]:
        decode = TypeDeserializer().deserialize
        items = self.dynamodb.scan(TableName="jobs")["Items"]
        return [{name: decode(value) for name, value in item.items()} for item in items]

    def read_job(self) -> dict[str, Any]:
        (job,) = self.read_jobs()
        return job

    def change_job(self, job_id: str, **values: str) -> None:
        self.dynamodb.update_item(
            TableName="jobs",
            Key={"jobId": {"S": job_id}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={f":{name}": {"S": value} for name, value in values.items()},
        )

    def read_messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    def read_key_list(self, job_id: str, bucket: str = "target") -> list[str]:
        body = self.s3.get_object(Bucket=bucket, Key=f".zip-jobs/{job_id}.json")["Body"].read()
        keys: list[str] = json.loads(body)
        return keys


def lose_connection() -> None:
    raise EndpointConnectionError(endpoint_url="https://secret-endpoint.internal")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TABLE_NAME": "jobs",
        "SOURCE_BUCKETS": "source,other-source",
        "TARGET_BUCKETS": "target, other-target",
    }.items():
        monkeypatch.setenv(name, value)
    app.load_settings.cache_clear()
    with mock_aws():
        service = Service()
        monkeypatch.setenv("QUEUE_URL", service.queue_url)
        yield service
    service.check_interceptions()
    app.load_settings.cache_clear()


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Give a function that returns the handler's log lines so far."""
    stream = io.StringIO()
    handler = app.logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    handler.setStream(before or io.StringIO())
