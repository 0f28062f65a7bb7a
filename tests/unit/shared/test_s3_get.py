"""The quick reader, against botocore's own signer and a server that records what it is sent."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import quote

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError, ParamValidationError

from zip_worker.s3_get import MissingObjectError, SignedS3Reader

SESSION = boto3.Session(aws_access_key_id="AKID", aws_secret_access_key="secret", region_name="eu-west-3")
KEYS = ["plain.pdf", "a b/ü+%20&=?#~'(1).pdf", "./dots/../..", "//double", "日本語📄"]


class Answers(BaseHTTPRequestHandler):
    """Answers as its class says."""

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
def getter(answers: type[Answers]) -> Iterator[SignedS3Reader]:
    with ThreadingHTTPServer(("127.0.0.1", 0), answers) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        made = make_getter(f"http://127.0.0.1:{server.server_port}", "session-token")
        yield made
        made.close()
        server.shutdown()


def make_getter(endpoint: str | None, token: str | None = None) -> SignedS3Reader:
    style = Config(s3={"addressing_style": "path" if endpoint else "virtual"})
    s3 = SESSION.client("s3", endpoint_url=endpoint, config=style)
    return SignedS3Reader(s3, Credentials("AKID", "secret", token), connections=2, read_seconds=5)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("token", [None, "session-token"])
@pytest.mark.parametrize("bucket", ["bucket", "dotted.bucket"])
@pytest.mark.parametrize("query", ["", "versionId=v%2F1"])
def test_signature_equals_botocores(
    key: str, token: str | None, bucket: str, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = make_getter(None, token)
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    address = quick.find(bucket)
    path = address.base + quote(key, safe="/~")
    headers = {"If-Match": '"etag"', "Range": "bytes=0-9"}
    mine = quick._sign(address.host, path, query, headers, now)

    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: now)
    request = AWSRequest("GET", f"https://{address.host}{path}?{query}".rstrip("?"), headers=dict(headers))
    request.context["payload_signing_enabled"] = False
    S3SigV4Auth(Credentials("AKID", "secret", token), "s3", "eu-west-3").add_auth(request)
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert {name.lower(): value for name, value in mine.items()} == theirs


@pytest.mark.parametrize(
    ("bucket", "host", "base"),
    [
        ("bucket", "bucket.s3.eu-west-3.amazonaws.com", "/"),
        ("dotted.bucket", "s3.eu-west-3.amazonaws.com", "/dotted.bucket/"),
    ],
)
def test_host_is_regional_and_virtual_where_the_buckets_name_allows(bucket: str, host: str, base: str) -> None:
    address = make_getter(None).find(bucket)
    assert (address.host, address.base) == (host, base)


def test_object_is_read_with_a_signed_request(getter: SignedS3Reader, answers: type[Answers]) -> None:
    answer = getter.get("bucket", "../a b+ü", {"If-Match": '"e"'}, 5, "v/1")
    assert answer is not None
    assert (answer.data, answer.object_size) == (b"alpha", 5)
    ((path, headers),) = answers.seen
    assert path == "/bucket/../a%20b%2B%C3%BC?versionId=v%2F1"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/eu-west-3/s3/aws4_request" in headers["authorization"]
    assert (headers["x-amz-security-token"], headers["if-match"]) == ("session-token", '"e"')


def test_range_comes_with_the_size_of_the_whole_object(getter: SignedS3Reader, answers: type[Answers]) -> None:
    answers.status, answers.extra = 206, {"Content-Range": "bytes 0-4/20", "ETag": '"e"'}
    answer = getter.get("bucket", "a", {"Range": "bytes=0-4"}, 5)
    assert answer is not None
    assert (answer.data, answer.object_size, answer.headers["etag"]) == (b"alpha", 20, '"e"')


@pytest.mark.parametrize("status", [301, 403, 404, 412, 500, 503])
def test_anything_but_success_is_left_to_the_careful_way(
    getter: SignedS3Reader, answers: type[Answers], status: int
) -> None:
    answers.status = status
    assert getter.get("bucket", "a", {}, 5) is None
    assert len(answers.seen) == 1, "no retry, no redirect followed"


def test_object_of_another_length_is_left_to_the_careful_way(getter: SignedS3Reader, answers: type[Answers]) -> None:
    assert getter.get("bucket", "a", {}, 4) is None
    answers.body = b"beta"
    answer = getter.get("bucket", "a", {}, 4)
    assert answer is not None, "a connection with a body left over is not used again"
    assert answer.data == b"beta"


def test_empty_object_is_a_success(getter: SignedS3Reader, answers: type[Answers]) -> None:
    answers.body = b""
    answer = getter.get("bucket", "a", {}, 0)
    assert answer is not None
    assert (answer.data, answer.object_size) == (b"", 0)


def test_object_stored_with_a_content_encoding_is_read_as_it_is_stored(
    getter: SignedS3Reader, answers: type[Answers]
) -> None:
    answers.body = gzip.compress(b"hello")
    answers.extra = {"Content-Encoding": "gzip"}
    answer = getter.get("bucket", "a", {}, len(answers.body))
    assert answer is not None
    assert gzip.decompress(answer.data) == b"hello"


def test_early_end_is_left_to_the_careful_way(getter: SignedS3Reader, answers: type[Answers]) -> None:
    answers.extra = {"Content-Length": "9", "Connection": "close"}
    assert getter.get("bucket", "a", {}, 9) is None


def test_server_that_is_not_there_is_left_to_the_careful_way() -> None:
    getter = make_getter("http://127.0.0.1:9")
    assert getter.get("bucket", "a", {}, 5) is None
    assert getter.get_tail("bucket", "a", 5) is None


def test_name_that_no_bucket_can_have_is_left_to_boto3(getter: SignedS3Reader, answers: type[Answers]) -> None:
    assert getter.get("not a bucket", "k", {}, 5) is None
    assert answers.seen == []
    with pytest.raises(ParamValidationError):
        getter.find("not a bucket")


def test_credentials_that_cannot_be_had_are_left_to_boto3(
    getter: SignedS3Reader, answers: type[Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise CredentialRetrievalError(provider="container-role", error_msg="no answer")

    monkeypatch.setattr(getter._credentials, "get_frozen_credentials", fail)
    assert getter.get("bucket", "a", {}, 5) is None
    assert answers.seen == []


def test_tail_is_the_end_of_a_long_object(getter: SignedS3Reader, answers: type[Answers]) -> None:
    answers.status, answers.extra = 206, {"Content-Range": "bytes 15-19/20"}
    answer = getter.get_tail("bucket", "a", 5)
    assert answer is not None
    assert (answer.data, answer.object_size) == (b"alpha", 20)
    assert answers.seen[0][1]["range"] == "bytes=-5"


def test_tail_is_all_of_a_short_object(getter: SignedS3Reader, answers: type[Answers]) -> None:
    answers.status, answers.extra = 206, {"Content-Range": "bytes 0-4/5"}
    answer = getter.get_tail("bucket", "a", 100)
    assert answer is not None
    assert (answer.data, answer.object_size) == (b"alpha", 5)


def test_server_that_sends_everything_instead_of_the_tail_is_not_heard_out(
    getter: SignedS3Reader, answers: type[Answers]
) -> None:
    assert getter.get_tail("bucket", "a", 4) is None


def test_tail_of_what_does_not_exist_is_an_error_of_its_own(getter: SignedS3Reader, answers: type[Answers]) -> None:
    answers.status = 404
    with pytest.raises(MissingObjectError):
        getter.get_tail("bucket", "a", 5)


@pytest.mark.parametrize("status", [301, 403, 416, 500, 503])
def test_tail_that_is_refused_is_left_to_the_careful_way(
    getter: SignedS3Reader, answers: type[Answers], status: int
) -> None:
    answers.status = status
    assert getter.get_tail("bucket", "a", 5) is None
