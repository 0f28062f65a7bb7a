"""The second tier's surroundings: the handler as deployed, with moto for AWS."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from data_aggregator import app, clients
from data_aggregator.bundle.manifest import name_manifest, name_old_manifest, read_manifest
from data_aggregator.claims.table import Claim
from data_aggregator.intake.messages import parse_body
from data_aggregator.intake.reasons import REASON_PREFIX
from data_aggregator.schemas import Manifest, Source
from tests.support.aws_events import s3_event
from tests.support.lambda_context import Context as LambdaContext

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")
"""One for all tests: a session reads the services' models once, and they take longer than most tests."""
TABLE = "idempotency"


class Context(LambdaContext):
    """An invocation of the aggregator."""

    def __init__(self, remaining_ms: int = 300_000) -> None:
        super().__init__("data-aggregator", remaining_ms)


class Aws:
    """The deployment's buckets, table and queue, and the function."""

    def __init__(self) -> None:
        self.s3: S3Client = SESSION.client("s3")
        self.dynamodb: DynamoDBClient = SESSION.client("dynamodb")
        self.sqs: SQSClient = SESSION.client("sqs")
        for bucket in ("source", "plain", "distribution"):
            self.s3.create_bucket(Bucket=bucket)
        for bucket in ("source", "distribution"):
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.queue_url = self.sqs.create_queue(QueueName="aggregator")["QueueUrl"]

    def put(self, key: str, body: bytes = b"x", bucket: str = "source", coding: str = "") -> str:
        """Put an object; return the body of the message that announces it."""
        options: Any = {"ContentEncoding": coding} if coding else {}
        answer = self.s3.put_object(Bucket=bucket, Key=key, Body=body, **options)
        return s3_event(bucket, key, len(body), answer["ETag"], answer.get("VersionId"))

    def deliver(self, *bodies: str, receives: int = 1, context: Context | None = None) -> list[str]:
        """Hand messages to the function; return the bodies of those that come back."""
        records = [self.make_record(body, receives) for body in bodies]
        answer = app.lambda_handler({"Records": records}, context or Context())
        returned = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        return [record["body"] for record in records if record["messageId"] in returned]

    def make_record(self, body: str, receives: int = 1) -> dict[str, Any]:
        """Send a message and receive it, as the event source mapping does."""
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body)
        (message,) = self.sqs.receive_message(QueueUrl=self.queue_url, VisibilityTimeout=900)["Messages"]
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:aggregator",
        }

    def bundle_keys(self) -> list[str]:
        return [key for key in self.distributed_keys() if key.endswith(".gz")]

    def distributed_keys(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="distribution").get("Contents", [])]

    def bundle(self, key: str | None = None) -> bytes:
        """The decompressed bundle: the only one, if no key is given."""
        if key is None:
            (key,) = self.bundle_keys()
        return gzip.decompress(self.s3.get_object(Bucket="distribution", Key=key)["Body"].read())

    def manifest(self, key: str | None = None) -> Manifest:
        if key is None:
            (key,) = self.bundle_keys()
        return read_manifest(self.s3.get_object(Bucket="distribution", Key=name_manifest(key))["Body"].read())

    def bundled(self) -> list[tuple[str, bytes]]:
        """Key and contents of every source in every bundle."""
        found = []
        for key in self.bundle_keys():
            data = self.bundle(key)
            found += [
                (entry["key"], data[entry["offset"] : entry["offset"] + entry["length"]])
                for entry in self.manifest(key)["sources"]
            ]
        return sorted(found)

    def records(self) -> list[Claim]:
        items = self.dynamodb.scan(TableName=TABLE)["Items"]
        return [Claim.from_item(item) for item in items if not item["id"]["S"].startswith(REASON_PREFIX)]

    def reasons(self) -> list[str]:
        """Why messages came back, as it is written for whoever finds them in the dead-letter queue."""
        items = self.dynamodb.scan(TableName=TABLE)["Items"]
        return sorted(item["reason"]["S"] for item in items if item["id"]["S"].startswith(REASON_PREFIX))

    def statuses(self) -> list[str]:
        return sorted(claim.status for claim in self.records())

    def uploads_in_progress(self) -> int:
        return len(self.s3.list_multipart_uploads(Bucket="distribution").get("Uploads", []))

    def claim_elsewhere(
        self, body: str, *, bundle: str = "2026/01/01/00/bundle-other-0.gz", upload_id: str = "", seconds: float = 60
    ) -> Claim:
        """Write the record that another worker's claim would have left; negative seconds for one that is over."""
        (source,) = parse_body(body).objects
        assert isinstance(source, Source)
        now = time.time()
        claim = Claim("INPROGRESS", int(now) + 1000, int((now + seconds) * 1000), "distribution", bundle, upload_id)
        self.dynamodb.put_item(TableName=TABLE, Item=claim.to_item(source.id))
        return claim

    def begin_upload(self, bundle: str) -> str:
        return self.s3.create_multipart_upload(Bucket="distribution", Key=bundle)["UploadId"]


def use_old_layout(aws: Aws, bundle: str) -> None:
    """Move a bundle's manifest to where it was before manifests had a prefix of their own, uncompressed."""
    manifest = json.dumps(aws.manifest(bundle)).encode()
    aws.s3.put_object(Bucket="distribution", Key=name_old_manifest(bundle), Body=manifest)
    aws.s3.delete_object(Bucket="distribution", Key=name_manifest(bundle))


ENVIRONMENT = {
    "DISTRIBUTION_BUCKET_NAME": "distribution",
    "SERVICE_NAME": "data-aggregator",
    "IDEMPOTENCY_TABLE_NAME": TABLE,
    "IDEMPOTENCY_TTL_DAYS": "21",
    "LOG_LEVEL": "DEBUG",
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setattr(clients, "get_session", lambda: SESSION)
    # moto answers boto3, not bare HTTP: every read takes the careful way here.
    monkeypatch.setattr(clients, "SignedS3Reader", NoQuickWay)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        made = Aws()
        monkeypatch.setenv("QUEUE_URL", made.queue_url)
        yield made


class NoQuickWay:
    def __init__(self, *_: object) -> None:
        pass

    def get(self, *_: object) -> None:
        return None

    def close(self) -> None:
        pass


type Hook = Callable[..., None]
type Register = Callable[[str, Hook], None]


@pytest.fixture
def hook(aws: Aws) -> Iterator[Register]:
    """Return a function that has something called at an event of the function's own boto3 clients.

    ``before-parameter-build.s3.PutObject`` comes before a call, ``after-call.s3.PutObject`` once it has succeeded; what
    is raised there is what the function gets.
    """
    registered: list[tuple[str, Hook]] = []

    def register(event: str, do: Hook) -> None:
        SESSION.events.register(event, do)
        registered.append((event, do))

    yield register
    for event, do in registered:
        SESSION.events.unregister(event, do)


def fail(code: str, status: int = 500, operation: str = "Call") -> Hook:
    """Return a hook that raises an AWS error."""

    def raise_error(**_: Any) -> None:
        answer: Any = {"Error": {"Code": code, "Message": "injected"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, operation)

    return raise_error


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The events logged, in order."""
    return [record.getMessage() for record in caplog.records]
