"""Fixtures: the deployed handler, with moto for AWS and the offline ClickHouse."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from moto import mock_aws
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from tests.support import lambda_context
from tests.support.aws_events import s3_event, sqs_record
from tests.support.clickhouse_server import forget_faults, query, run_clickhouse
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl import app, clients

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")
"""A single session for all tests: loading the services' models takes longer than most tests."""
BUCKET = "statements"
_CACHES = (clients.s3_client, clients.sqs_client, clients.secrets_client, clients.http_session, clients.read_mapping)


class Context(lambda_context.Context):
    """An invocation of the ETL function."""

    def __init__(self, remaining_ms: int = 120_000) -> None:
        super().__init__("xapi-etl", remaining_ms)


class Etl:
    """The deployment's bucket and table, and the function."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.s3: S3Client = SESSION.client("s3")
        self.sqs: SQSClient = SESSION.client("sqs")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.create_bucket(Bucket="quarantine")
        self.failure_url = self.sqs.create_queue(QueueName="failures")["QueueUrl"]

    def put(self, key: str, body: bytes, bucket: str = BUCKET) -> str:
        """Put an object; return the body of the message that announces it."""
        response = self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return s3_event(bucket, key, len(body), version_id=response.get("VersionId"))

    def deliver(self, *bodies: str, receives: int = 1, context: Context | None = None) -> list[str]:
        """Hand messages to the function; return the bodies of those to redeliver."""
        records = [sqs_record(body, receives) for body in bodies]
        response = app.lambda_handler({"Records": records}, context or Context())
        returned = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
        return [record["body"] for record in records if record["messageId"] in returned]

    def query(self, text: str) -> str:
        return query(self.url, text)

    def count(self, where: str = "1") -> int:
        return int(self.query(f"SELECT count() FROM xapi.statements WHERE {where}"))

    def rows(self, columns: str = "*", where: str = "1") -> list[dict[str, Any]]:
        """Return the rows, read by clickhouse-connect and ordered by object and line."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        client: Client = clickhouse_connect.get_client(host=host, port=int(port), database="xapi", tz_mode="aware")
        try:
            found = client.query(f"SELECT {columns} FROM statements WHERE {where} ORDER BY source_file, source_line")
            return list(found.named_results())
        finally:
            client.close()

    def copies(self) -> list[Any]:
        """Return the messages in the failure queue."""
        return self.sqs.receive_message(
            QueueUrl=self.failure_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])

    def quarantined(self, key: str, bucket: str = "quarantine") -> list[dict[str, Any]]:
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return [json.loads(line) for line in body.splitlines()]


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with run_clickhouse(schema=True) as url:
        yield url


@pytest.fixture
def etl(monkeypatch: pytest.MonkeyPatch, server: str) -> Iterator[Etl]:
    monkeypatch.setattr(clients, "get_session", lambda: SESSION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    environment = {
        "CLICKHOUSE_URL": server,
        "CLICKHOUSE_DATABASE": "xapi",
        "CLICKHOUSE_TABLE": "statements",
        "CLICKHOUSE_MAX_ATTEMPTS": "2",
        # Many tests use lines that are not complete statements; the fixture `defaults` restores the defaults.
        "STRICTNESS": "json",
        "BAD_LINES": "fail",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for table in ("statements", "statements_inserts"):
        query(server, f"TRUNCATE TABLE IF EXISTS xapi.{table}")
    with mock_aws():
        yield Etl(server)
    forget_faults(server)
    for cached in _CACHES:
        cached.cache_clear()


@pytest.fixture
def neighbour(etl: Etl) -> str:
    """Put a good object; return its message, which must be loaded whatever else is in the batch."""
    return etl.put("statements/neighbour.jsonl", write_lines(make_statements(2, seed=9)))


@pytest.fixture
def defaults(etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the function with its defaults: it accepts only statements and quarantines bad lines."""
    monkeypatch.delenv("STRICTNESS")
    monkeypatch.delenv("BAD_LINES")


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the pauses between attempts; return the list of their durations."""
    waits: list[float] = []
    monkeypatch.setattr("xapi_etl.clickhouse.http_client.time.sleep", waits.append)
    return waits


type Environ = Callable[..., None]


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Environ:
    """Return a function that sets environment variables."""

    def set_all(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the names of the logged events, in order."""
    return [record.getMessage() for record in caplog.records]


def find_events(caplog: pytest.LogCaptureFixture, event: str) -> list[Any]:
    """Return the records of an event, with its fields as attributes."""
    return [record for record in caplog.records if record.getMessage() == event]


def find_event(caplog: pytest.LogCaptureFixture, event: str) -> Any:
    """Return the only record of an event."""
    (record,) = find_events(caplog, event)
    return record


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that was logged, including fields, as text."""
    return str([vars(record) for record in caplog.records])
