"""Redirects are followed, also those of exports that are not ready yet, and credentials stay with their host."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from botocore.credentials import Credentials

from lib.dataset import fetch as fetch_module
from lib.dataset.download import DownloadError, download
from lib.dataset.fetch import FetchError, Signer, fetch, make_signer
from tests.unit.scripts.conftest import RunScript

CREDENTIALS = Credentials("AKIDEXAMPLE", "secret", "session-token")
SECRETS = ("authorization", "x-amz-security-token", "x-amz-date", "cookie")

type Answer = tuple[int, dict[str, str], bytes]
type Seen = list[tuple[str, dict[str, str]]]


@contextmanager
def serve(answer: Callable[[str], Answer]) -> Iterator[tuple[str, Seen]]:
    """Run a server; gives its address and what it was asked, with the headers in lower case."""
    seen: Seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "_SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr(fetch_module, "_LONGEST_PAUSE", 0.01)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_another_host_carries_nothing_that_signs(
    status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve(lambda _: (200, {}, b"rows")) as (store, asked_store):
        location = f"{store}/export?X-Amz-Signature=abc"
        with serve(lambda _: (status, {"Location": location, "Set-Cookie": "a=b"}, b"")) as (base, asked):
            answer = fetch(
                f"{base}/a.csv", {"Accept-Encoding": "gzip"}, Signer(base, "lambda", "eu-west-1", CREDENTIALS)
            )
            assert answer.content == b"rows"
    ((_, first),) = asked
    assert first["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert first["x-amz-security-token"] == "session-token"
    ((path, second),) = asked_store
    assert path == "/export?X-Amz-Signature=abc"
    assert [name for name in second if name in SECRETS or name.startswith("x-amz-")] == []
    assert second["accept-encoding"] == "gzip"


def test_export_is_waited_for_and_its_status_is_asked_signed() -> None:
    states = iter([202, 202, 303])

    with serve(lambda _: (200, {}, b"rows")) as (store, asked_store):

        def answer(path: str) -> Answer:
            if path.startswith("/data/a.csv"):
                return 202, {"Location": "./exports/1", "Retry-After": "3"}, b"{}"
            status = next(states)
            return status, {"Location": "./1" if status == 202 else f"{store}/made", "Retry-After": "0"}, b"{}"

        with serve(answer) as (base, asked):
            signer = Signer(base, "lambda", "eu-west-1", CREDENTIALS)
            assert fetch(f"{base}/data/a.csv?limit=1", {}, signer).content == b"rows"
    assert [path for path, _ in asked] == ["/data/a.csv?limit=1", *["/data/exports/1"] * 3]
    assert all("authorization" in headers for _, headers in asked)
    assert len({headers["authorization"] for _, headers in asked}) >= 2, "each address has a signature of its own"
    assert "authorization" not in asked_store[0][1]


def test_another_port_of_the_same_machine_is_another_host() -> None:
    signer = Signer("https://a.lambda-url.eu-west-1.on.aws", "lambda", "eu-west-1", CREDENTIALS)
    for url in (
        "https://a.lambda-url.eu-west-1.on.aws:8443/x",
        "http://a.lambda-url.eu-west-1.on.aws/x",
        "https://b.lambda-url.eu-west-1.on.aws/x",
        "https://a.lambda-url.eu-west-1.on.aws.example.com/x",
        "https://a.lambda-url.eu-west-1.on.aws@example.com/x",
    ):
        assert signer.sign(url, {"a": "b"}) == {"a": "b"}
    assert "Authorization" in signer.sign("https://A.lambda-url.eu-west-1.on.aws:443/x", {})


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://example.com/", "gopher://x", "http://[x", "http://a:b/"]
)
def test_redirect_to_no_web_server_is_not_followed(location: str) -> None:
    with serve(lambda _: (302, {"Location": location}, b"")) as (base, asked):
        with pytest.raises(FetchError):
            fetch(base, {}, None)
        assert len(asked) == 1


def test_https_is_not_left_for_http() -> None:
    with pytest.raises(FetchError, match="from https to http"):
        fetch_module._resolve("https://a.example/x", "http://b.example/x")
    assert fetch_module._resolve("http://a.example/x", "https://b.example/y") == "https://b.example/y"


def test_redirects_and_exports_without_end_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda _: (302, {"Location": "/again"}, b"")) as (base, asked):
        with pytest.raises(FetchError, match="more than 10 redirects"):
            fetch(base, {}, None)
        assert len(asked) == 11
    monkeypatch.setattr(fetch_module, "_EXPORT_SECONDS", 0.0)
    monkeypatch.setattr(fetch_module, "_SHORTEST_PAUSE", 0.001)
    answer = (202, {"Location": "/status", "Retry-After": "soon"}, b"")
    with serve(lambda _: answer) as (base, _), pytest.raises(FetchError, match="still not ready"):
        fetch(base, {}, None)


def test_only_addresses_of_lambda_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    for base in (
        "http://127.0.0.1:4569",
        "https://d111.cloudfront.net",
        "http://x.lambda-url.us-east-1.localhost:4566",
    ):
        assert make_signer(base) is None
    assert make_signer("https://x.lambda-url.eu-west-1.on.aws") is not None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((404, {}, b'{"detail": "no such dataset"}'), "answers 404.*no such dataset"),
        ((200, {"Content-Length": "100"}, b"rows"), "broke"),
        ((202, {}, b"no address"), "answers 202"),
        ((302, {}, b"no address"), "answers 302"),
    ],
)
def test_file_is_left_as_it_was_by_a_download_that_fails(answer: Answer, says: str, tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_bytes(b"before")
    with serve(lambda _: answer) as (base, _), pytest.raises(DownloadError, match=says):
        download(f"{base}/a.csv", target, None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert target.read_bytes() == b"before"


def test_signature_of_a_redirect_is_not_shown_in_an_error(tmp_path: Path) -> None:
    answer = (302, {"Location": "http://127.0.0.1:9/x?X-Amz-Signature=secret"}, b"")
    with serve(lambda _: answer) as (base, _), pytest.raises(DownloadError) as caught:
        download(f"{base}/a.csv", tmp_path / "a.csv", None)
    assert "secret" not in str(caught.value)


def test_script_follows_a_202_and_says_what_came(run_script: RunScript, tmp_path: Path) -> None:
    def answer(path: str) -> Answer:
        match path:
            case "/entities.csv?limit=2":
                return 202, {"Location": "./exports/1", "Retry-After": "0"}, b"{}"
            case "/exports/1":
                return 303, {"Location": "/made.csv"}, b""
        return 200, {}, b"a,b\r\n1,2\r\n3,4\r\n"

    with serve(answer) as (base, _):
        done = run_script(
            "download_dataset.sh", "--output", str(tmp_path), "entities.csv", "limit=2", DATASET_STREAM_URL=base
        )
    assert done.returncode == 0, done.stderr
    assert "2 rows, 15 bytes" in done.stdout
    assert (tmp_path / "entities.csv").read_bytes() == b"a,b\r\n1,2\r\n3,4\r\n"
