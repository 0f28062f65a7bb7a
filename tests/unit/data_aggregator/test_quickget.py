"""Second tier: the quick way to read, against a server of the test's own."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials

from data_aggregator.quickget import QuickGetter


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str]]]
    status, body, extra = 200, b"alpha", {}  # type: ignore[var-annotated]

    def do_GET(self) -> None:
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(self.status)
        for name, value in ({"Content-Length": str(len(self.body))} | self.extra).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def answers() -> type[Answers]:
    return type("Fresh", (Answers,), {"seen": []})


@pytest.fixture
def getter(answers: type[Answers]) -> Iterator[QuickGetter]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="eu-north-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(s3={"addressing_style": "path"}),
    )
    made = QuickGetter(s3, Credentials("key", "secret", "token"), 2)
    yield made
    made.close()
    s3.close()
    server.shutdown()
    server.server_close()


def test_object_is_read_with_a_signed_request(getter: QuickGetter, answers: type[Answers]) -> None:
    assert getter.get("bucket", "../a b+ü", "v/1", {"If-Match": '"e"'}, 5, 5) == b"alpha"
    ((path, headers),) = answers.seen
    assert path == "/bucket/../a%20b%2B%C3%BC?versionId=v%2F1"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")
    assert "/eu-north-1/s3/aws4_request" in headers["authorization"]
    assert (headers["x-amz-security-token"], headers["if-match"]) == ("token", '"e"')


def test_range_is_taken_only_of_an_object_of_the_right_size(getter: QuickGetter, answers: type[Answers]) -> None:
    answers.status, answers.extra = 206, {"Content-Range": "bytes 0-4/20"}
    assert getter.get("bucket", "a", None, {"Range": "bytes=0-4"}, 5, 20) == b"alpha"
    assert getter.get("bucket", "a", None, {"Range": "bytes=0-4"}, 5, 21) is None


@pytest.mark.parametrize("status", [301, 403, 404, 412, 500, 503])
def test_anything_but_success_is_left_to_the_careful_way(
    getter: QuickGetter, answers: type[Answers], status: int
) -> None:
    answers.status = status
    assert getter.get("bucket", "a", None, {}, 5, 5) is None


def test_object_of_another_length_is_left_to_the_careful_way(getter: QuickGetter) -> None:
    assert getter.get("bucket", "a", None, {}, 4, 4) is None


def test_early_end_is_left_to_the_careful_way(getter: QuickGetter, answers: type[Answers]) -> None:
    answers.extra = {"Content-Length": "9", "Connection": "close"}
    assert getter.get("bucket", "a", None, {}, 9, 9) is None


def test_server_that_is_not_there_is_left_to_the_careful_way() -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    getter = QuickGetter(s3, Credentials("key", "secret"), 2)
    assert getter.get("bucket", "a", None, {}, 5, 5) is None
    s3.close()


def test_name_that_no_bucket_can_have_is_left_to_boto3(getter: QuickGetter, answers: type[Answers]) -> None:
    assert getter.get("not a bucket", "k", None, {}, 5, 5) is None
    assert answers.seen == []
