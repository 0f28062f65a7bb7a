"""The scripts as a person runs them, against an S3 of the emulator and an API whose answers each test writes itself."""

import io
import json
import os
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.support.emulator import run_emulator

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[3]
JOB_ID = "5f0c5e0e-8d5c-4a53-9c06-1d3b1d4a3a10"

type Answer = tuple[int, dict[str, Any]]
type RunScript = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeApi:
    """Answers each GET of the job with the next of ``polls``; the last one is repeated."""

    url: str = ""
    created: Answer = (202, {"jobId": JOB_ID, "status": "PENDING"})
    polls: list[Answer] = field(default_factory=list)
    archive: bytes = b""
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> tuple[int, bytes]:
        self.requests.append(request)
        if request.path.startswith("/archive"):
            return 200, self.archive
        if request.method == "POST":
            status, body = self.created
        else:
            status, body = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        return status, json.dumps(body).encode()

    def make_ready(self, archive: bytes) -> Answer:
        """Return a READY answer that tells the truth about ``archive``, and serve it."""
        self.archive = archive
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            files = len(opened.infolist())
        return 200, {
            "jobId": JOB_ID,
            "status": "READY",
            "downloadUrl": f"{self.url}/archive?X-Amz-Signature=0123abcd",
            "targetBucket": "target",
            "targetKey": f"zips/{JOB_ID}.zip",
            "sizeBytes": len(archive),
            "crc32": f"{zlib.crc32(archive):08x}",
            "files": files,
            "skipped": 0,
            "createdAt": "2026-11-21T07:30:00.000000Z",
            "completedAt": "2026-11-21T07:30:02.000000Z",
        }


@pytest.fixture
def fake_api() -> Iterator[FakeApi]:
    api = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = api.answer(Request(self.command, self.path, dict(self.headers), body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815  # the base class's names

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield api
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_emulator(tmp_path_factory.mktemp("emulator")) as address:
        yield address


@pytest.fixture
def s3(s3_url: str) -> "Iterator[S3Client]":
    client = boto3.client(
        "s3",
        endpoint_url=s3_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    for bucket in ("source", "target"):
        client.create_bucket(Bucket=bucket)
    yield client
    for bucket in ("source", "target"):
        for entry in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            client.delete_object(Bucket=bucket, Key=entry["Key"])
        client.delete_bucket(Bucket=bucket)
    client.close()


@pytest.fixture
def run_script(fake_api: FakeApi, s3_url: str, tmp_path: Path) -> RunScript:
    """Return a function that runs a script with settings of its own, whatever the checkout's files say."""
    settings = {
        "AWS_ENDPOINT_URL": s3_url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "API_BASE": fake_api.url,
        "API_AUTH": "NONE",
        "SRC_BUCKET": "source",
        "DST_BUCKET": "target",
        "DST_PREFIX": "zips/",
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
    }

    def run(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "scripts" / script, *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **settings, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
