import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import boto3
import moto.s3.models
import pytest
import requests
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import FakeKey, S3Backend
from mypy_boto3_s3 import S3Client

from csv_streamer import app, clients
from csv_streamer.s3 import part_sizes as layout
from csv_streamer.settings import KIB, Settings
from csv_streamer.transfer import file_transfer as transfer
from csv_streamer.transfer import part_fillers as core
from tests.support.lambda_context import Context as LambdaContext
from tests.support.sample_server import run_sample_server

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")
"""One for all tests: a session reads the services' models once, and they take longer than most tests."""
BUCKET = "csv-bucket"
EMITTER = SESSION._session.get_component("event_emitter")
PART = 64 * KIB


class Context(LambdaContext):
    """An invocation of the streamer."""

    def __init__(self, request_id: str = "request-1", remaining_ms: int = 600_000) -> None:
        super().__init__("csv-streamer", remaining_ms, request_id)


class Streamer:
    """The function with its bucket in moto, and the sample file server to fetch from."""

    def __init__(self, server: str, set_variable: Callable[[str, str], None], read_log: Callable[[], str]) -> None:
        self.server = server
        self.s3: S3Client = SESSION.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.set = set_variable
        self._read_log = read_log
        self.events: list[dict[str, Any]] = []
        self.metrics: dict[str, float] = {}
        self.handlers: list[tuple[str, Callable[..., AWSResponse | None]]] = []

    def put_parameters(self, *entries: object) -> None:
        """Write the parameters; a path stands for the sample server's address of it."""
        urls = [self._complete(entry) for entry in entries]
        self.s3.put_object(Bucket=BUCKET, Key="config/parameters.json", Body=json.dumps({"file_urls": urls}))

    def _complete(self, entry: object) -> object:
        if isinstance(entry, dict) and str(entry.get("url", "")).startswith("/"):
            return {**entry, "url": self.server + entry["url"]}
        return self.server + entry if isinstance(entry, str) and entry.startswith("/") else entry

    def invoke(self, event: object = None, context: Context | None = None) -> tuple[int, dict[str, Any]]:
        """Return the status code and the answer's body; the log lines are in :attr:`events`."""
        try:
            answer = app.lambda_handler(event or {}, context or Context())  # type: ignore[arg-type]
        finally:
            lines = [json.loads(line) for line in self._read_log().splitlines() if line.startswith("{")]
            self.events = [line for line in lines if "event" in line]
            self.metrics = {
                name: value[0]
                for line in lines
                if "_aws" in line
                for name, value in line.items()
                if name[0].isupper() and name != "_aws"
            }
        return answer["statusCode"], json.loads(answer["body"])

    def run(self, *entries: object) -> list[dict[str, Any]]:
        """Write the parameters, invoke, and return the results."""
        self.put_parameters(*entries)
        results: list[dict[str, Any]] = self.invoke()[1]["results"]
        return results

    def named(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.events if line["event"] == event]

    def sha256(self, key: str) -> str:
        return hashlib.sha256(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).hexdigest()

    def keys(self) -> set[str]:
        """Keys of all objects but the parameters."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {item["Key"] for item in listed} - {"config/parameters.json"}

    def requests(self, token: str) -> list[dict[str, Any]]:
        """What the sample server was asked with this token: method, path, headers."""
        asked: list[dict[str, Any]] = requests.get(f"{self.server}/requests/{token}", timeout=5).json()
        return asked

    def deny(self, operation: str, after: int = 0) -> None:
        """Let S3 deny an operation once it was called ``after`` times."""
        calls = count(1)

        def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
            if next(calls) <= after:
                return None
            body = io.BytesIO(b"<Error><Code>AccessDenied</Code></Error>")
            return AWSResponse(request.url, 403, HTTPHeaders(), SimpleNamespace(stream=lambda **_: [body.read()]))

        self.handlers.append((f"before-send.s3.{operation}", answer))
        EMITTER.register_first(*self.handlers[-1])
        clients.s3_client.cache_clear()

    def shorten(self, operation: str, times: int) -> None:
        """Let S3's first answers to an operation end before the length that they announce."""
        calls = count(1)

        def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
            if next(calls) > times:
                return None
            headers = HTTPHeaders.from_dict({"Content-Length": "100"})
            return AWSResponse(request.url, 200, headers, io.BytesIO(b"{"))

        self.handlers.append((f"before-send.s3.{operation}", answer))
        EMITTER.register_first(*self.handlers[-1])
        clients.s3_client.cache_clear()

    def allow(self) -> None:
        """Take back all denials."""
        for event, handler in self.handlers:
            EMITTER.unregister(event, handler)
        self.handlers.clear()
        clients.s3_client.cache_clear()

    def unfinished_uploads(self) -> int:
        return len(self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


@pytest.fixture
def s3() -> Iterator[clients.S3]:
    """Give the streamer's client of an S3 that has one empty bucket."""
    with mock_aws():
        client = boto3.client("s3", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        client.create_bucket(Bucket="bucket")
        s3 = clients.S3(client, 4)
        yield s3
        s3.close()


@pytest.fixture(scope="session")
def sample_server() -> Iterator[str]:
    with run_sample_server() as address:
        yield address


def upload_part(backend: S3Backend, bucket_name: str, multipart_id: str, part_id: int, value: bytes) -> FakeKey:
    """As moto's own, but for an upload that is gone: there it fails with a KeyError."""
    uploads = backend.get_bucket(bucket_name).multiparts
    if multipart_id not in uploads:
        raise NoSuchUpload(multipart_id)
    return uploads[multipart_id].set_part(part_id, value)


def copy_body(request: AWSPreparedRequest, **_: object) -> None:
    """moto takes a body of bytes or a file, S3 and its emulators a bytearray too."""
    if isinstance(request.body, bytearray):
        request.body = bytes(request.body)


@pytest.fixture
def streamer(
    monkeypatch: pytest.MonkeyPatch, sample_server: str, capsys: pytest.CaptureFixture[str]
) -> Iterator[Streamer]:
    """The function with parts of 64 KiB and ranges of 16 KiB, so that a megabyte has all that a terabyte has."""
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "BUCKET_NAME": BUCKET, "ALLOW_PRIVATE_HOSTS": "true"}
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "testing")
    for name, value in (environment | keys).items():
        monkeypatch.setenv(name, value)
    read = Settings.from_environment

    def shrink(variables: Mapping[str, str]) -> Settings:
        settings = read(variables)
        return replace(
            settings,
            part_size=PART,
            chunk_size=16 * KIB,
            retry_base_seconds=0.005,
            stall_seconds=settings.stall_seconds / 4,
        )

    monkeypatch.setattr(Settings, "from_environment", shrink)
    monkeypatch.setattr(layout, "MIN_RANGE", 16 * KIB)
    monkeypatch.setattr(transfer, "MIN_RANGE", 16 * KIB)
    monkeypatch.setattr(core, "MIN_PART", 16 * KIB)
    monkeypatch.setattr(moto.s3.models, "S3_UPLOAD_PART_MIN_SIZE", 16 * KIB)
    monkeypatch.setattr(clients, "get_session", lambda: SESSION)
    monkeypatch.setattr(moto.s3.models.S3Backend, "upload_part", upload_part)
    EMITTER.register_first("before-send.s3", copy_body)
    with mock_aws():
        for cached in (clients.s3_client, clients.lambda_client, clients.secrets_client):
            cached.cache_clear()
        log = io.StringIO()
        monkeypatch.setattr(app.logger.registered_handler, "stream", log)
        streamer = Streamer(sample_server, monkeypatch.setenv, lambda: log.getvalue() + capsys.readouterr().out)
        yield streamer
        streamer.allow()
    EMITTER.unregister("before-send.s3", copy_body)
