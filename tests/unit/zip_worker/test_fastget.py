"""The quick reader, against botocore's own signer and a server that records what it is sent."""

import gzip
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import quote

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from zip_worker.fastget import FastGetter

KEYS = ["plain.pdf", "a b/ü+%20&=?#~'(1).pdf", "./dots/../..", "//double", "日本語📄"]


class Answer(BaseHTTPRequestHandler):
    """Answers by what the key asks for."""

    seen: ClassVar[list[tuple[str, dict[str, str]]]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        status = int(self.path.rpartition("/")[2]) if self.path.rpartition("/")[2].isdigit() else 200
        body = b"hello"
        self.send_response(status)
        if self.path.endswith("gzipped"):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) + (5 if self.path.endswith("short") else 0)))
        self.end_headers()
        self.wfile.write(body)
        if self.path.endswith("short"):
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as http:
        Answer.seen.clear()
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def getter(endpoint: str | None, token: str | None = None, bucket: str = "bucket") -> FastGetter:
    session = boto3.Session(aws_access_key_id="AKID", aws_secret_access_key="secret", region_name="eu-west-3")
    style = Config(s3={"addressing_style": "path" if endpoint else "virtual"})
    s3 = session.client("s3", endpoint_url=endpoint, config=style)
    return FastGetter(s3, bucket, Credentials("AKID", "secret", token), connections=2)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("token", [None, "session-token"])
@pytest.mark.parametrize("bucket", ["bucket", "dotted.bucket"])
def test_signature_equals_botocores(key: str, token: str | None, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = getter(None, token, bucket)
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    path = quick._base + quote(key, safe="/~")
    headers = {"If-Match": '"etag"', "Range": "bytes=0-9"}
    mine = quick._sign(path, headers, now)

    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: now)
    request = AWSRequest("GET", f"https://{quick._host}{path}", headers=dict(headers))
    request.context["payload_signing_enabled"] = False
    S3SigV4Auth(Credentials("AKID", "secret", token), "s3", "eu-west-3").add_auth(request)
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert {name.lower(): value for name, value in mine.items()} == theirs


def test_host_is_regional_and_virtual_where_the_bucket_name_allows() -> None:
    assert getter(None)._host == "bucket.s3.eu-west-3.amazonaws.com"
    assert getter(None, bucket="dotted.bucket")._host == "s3.eu-west-3.amazonaws.com"


def test_bytes_of_a_success_are_returned(server: str) -> None:
    assert getter(server).get("a b/ü.pdf", {"If-Match": '"e"'}) == b"hello"
    path, headers = Answer.seen[0]
    assert path == "/bucket/a%20b/%C3%BC.pdf"
    assert headers["if-match"] == '"e"'


@pytest.mark.parametrize("key", ["301", "403", "404", "412", "500", "503"])
def test_whatever_is_not_success_is_left_to_the_caller(server: str, key: str) -> None:
    assert getter(server).get(key, {}) is None
    assert len(Answer.seen) == 1, "no retry, no redirect followed"


def test_object_stored_with_a_content_encoding_is_read_as_it_is_stored(server: str) -> None:
    assert gzip.decompress(getter(server).get("gzipped", {}) or b"") == b"hello"


def test_answer_that_ends_early_is_no_success(server: str) -> None:
    assert getter(server).get("short", {}) is None


def test_refused_connection_is_no_success() -> None:
    assert getter("http://127.0.0.1:9").get("a", {}) is None
