"""Requests go out as they should; what servers answer is told apart: what passes and what stays."""

import asyncio
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_streamer.exceptions import FileError, OutOfTimeError, SourceBrokeError, SourceChangedError
from csv_streamer.http.retries import Attempts
from csv_streamer.http.session import open_http_session
from csv_streamer.http.source import Source, _parse_date, _parse_retry_after
from tests.support.sample_server import run_sample_server
from tests.unit.csv_streamer.http.raw_requests import OK, RANGE, SETTINGS, answering, ask, get, get_answer, run


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with run_sample_server() as address:
        yield address


def test_requests_ask_for_bytes_as_they_are(server: str) -> None:
    _, body, _ = get(f"{server}/hostile/echo", {"X-Key": "größe"}, {"If-None-Match": '"e"'})
    headers = json.loads(body)
    assert headers["accept-encoding"] == "identity"
    assert (headers["x-key"].encode("latin-1").decode(), headers["if-none-match"]) == ("größe", '"e"')
    assert not {"cookie", "authorization", "range"} & set(headers)


def test_headers_of_an_entry_do_not_outweigh_the_conditions(server: str) -> None:
    _, body, _ = get(f"{server}/hostile/echo", {"X-Key": "1"}, {"If-None-Match": '"ours"'})
    assert json.loads(body)["if-none-match"] == '"ours"'


def test_bodies_are_not_decoded(server: str) -> None:
    _, body, head = get(f"{server}/hostile/gzip/units.csv?bytes=1000")
    assert (body[:2], head.content_encoding) == (b"\x1f\x8b", "gzip")


@pytest.mark.parametrize(
    "path",
    [
        "/a%2Fb%2fc.csv?X-Amz-Signature=a%2Bb%2f+c&X=%7E~&y=a%20b&&z",
        "/%7Euser/../x/./y//z;p=1",
        "/a.csv?q='(*)!$,:@[]|{}\"<>^`\\",
        "/?",
        "/?a=%41&b=%c3%A9",
    ],
)
def test_signed_url_is_sent_byte_for_byte(path: str) -> None:
    async def play() -> bytes:
        async with answering(OK) as (url, requests):
            await ask(f"{url}{path}#fragment")
            return requests[0]

    line = run(play()).split(b"\r\n")[0]
    assert line == f"GET {path.removesuffix('?')} HTTP/1.1".encode()


def test_letters_beyond_ascii_are_percent_encoded() -> None:
    async def play() -> bytes:
        async with answering(OK) as (url, requests):
            await ask(f"{url}/données.csv?q=é")
            return requests[0]

    assert run(play()).split(b"\r\n")[0] == b"GET /donn%C3%A9es.csv?q=%C3%A9 HTTP/1.1"


def test_cookies_live_for_the_requests_of_one_file() -> None:
    async def play() -> list[bytes]:
        async with answering(b"HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nLocation: /a\r\n\r\n", OK) as (url, requests):
            await ask(f"{url}/a", {"Cookie": "own=1"})
            await ask(f"{url}/a")
            return requests

    sent = [re.findall(rb"Cookie: (.*)\r", request) for request in run(play())]
    assert sent == [[b"own=1"], [b"own=1; a=b"], []]


def test_credentials_of_a_url_are_sent(server: str) -> None:
    assert get(server.replace("//", "//user:secret@") + "/hostile/protected?bytes=10")[0] == 200


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://user:hidden@127.0.0.1:9/", {"Authorization": "Bearer hidden"}),
        ("http://hidden%3A:hidden@127.0.0.1:9/", {}),
        (f"http://hidden:hidden@{'a' * 64}.example/", {}),
        ("http://hidden:hidden@a..example/", {}),
        ("http://hidden:hidden@host\u2100/", {}),
        ("http://user:hid/den@host/", {}),
        ("http://[nonsense]/hidden", {}),
        ("http://127.1/hidden", {}),
    ],
)
def test_url_that_cannot_be_used_fails_its_file_and_tells_no_secret(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(FileError) as refusal:
        get(url, headers)
    assert "hid" not in str(refusal.value)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 406, 409, 410, 418, 451])
def test_refusal_stays(server: str, code: int) -> None:
    with pytest.raises(FileError, match=f"HTTP {code}"):
        get(f"{server}/hostile/status?code={code}")


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504, 520, 599])
def test_trouble_may_pass(server: str, code: int) -> None:
    with pytest.raises(SourceBrokeError, match=f"HTTP {code}") as trouble:
        get(f"{server}/hostile/status?code={code}&retry_after=7")
    assert trouble.value.retry_after == 7


@pytest.mark.parametrize("status", [b"204 No Content", b"202 Accepted", b"300 Multiple Choices", b"299 Odd"])
def test_answer_without_the_file_is_a_refusal(status: bytes) -> None:
    with pytest.raises(FileError, match=r"HTTP 2|HTTP 3"):
        get_answer(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")


def test_part_that_was_not_asked_for_is_not_taken_for_the_file() -> None:
    part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/10\r\nContent-Length: 2\r\n\r\nok"
    with pytest.raises(FileError, match="HTTP 206"):
        get_answer(part)
    assert get_answer(part, RANGE)[0] == 206


def test_not_modified_that_was_not_asked_for_is_no_answer(server: str) -> None:
    with pytest.raises(FileError, match="HTTP 304"):
        get(f"{server}/hostile/not-modified")
    for condition in ({"If-None-Match": '"e"'}, {"If-Modified-Since": "Sat, 07 Mar 2026 01:02:03 GMT"}):
        assert get(f"{server}/hostile/not-modified", None, condition)[0] == 304


def test_range_that_does_not_exist_means_another_version(server: str) -> None:
    with pytest.raises(SourceChangedError, match="416"):
        get(f"{server}/files/units.csv?bytes=10", None, {"Range": "bytes=100-"})


@pytest.mark.parametrize("path", ["hang-up?how=fin", "hang-up?how=rst", "garbage"])
def test_answer_that_breaks_may_pass(server: str, path: str) -> None:
    with pytest.raises(SourceBrokeError):
        get(f"{server}/hostile/{path}")


def test_header_of_endless_length_is_refused_and_costs_no_memory() -> None:
    with pytest.raises(FileError, match="Got more than 65536 bytes"):
        get_answer(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")


def test_header_of_64_kilobytes_is_read() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Security-Policy: " + b"x" * 65_000 + b"\r\nContent-Length: 2\r\n\r\nok"
    assert get_answer(answer)[1] == b"ok"


def test_server_that_is_not_there_may_come_back() -> None:
    async def play() -> str:
        async with answering(OK) as (url, _):
            pass
        return url

    with pytest.raises(SourceBrokeError, match="no connection"):
        get(run(play()))


def test_name_that_is_not_found_may_be_found_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    with pytest.raises(SourceBrokeError, match="no connection: Name or service not known"):
        get("http://user:hidden@no-such-host.example/a.csv")


def test_silent_server_is_a_stall(server: str) -> None:
    async def play() -> None:
        async with (
            open_http_session(replace(SETTINGS, stall_seconds=1)) as web,
            Source(web, f"{server}/hostile/slow-headers?delay=4&bytes=1", {}).get({}),
        ):
            pass

    with pytest.raises(SourceBrokeError, match="stalled"):
        run(play())


def make_certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(private + certificate.public_bytes(encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


def test_certificate_that_nobody_vouches_for_is_refused_for_good(tmp_path: Path) -> None:
    async def play() -> None:
        context = make_certificate(tmp_path)
        listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with listening:
            await ask(f"https://localhost:{listening.sockets[0].getsockname()[1]}/a.csv")

    with pytest.raises(FileError, match=r"certificate is not valid.*self-signed"):
        run(play())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("120", 120),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert _parse_retry_after(value) == seconds


def test_retry_after_can_be_a_date_to_come() -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=3600), usegmt=True)
    seconds = _parse_retry_after(moment)
    assert seconds is not None
    assert 3000 < seconds <= 3600


@settings(deadline=None)
@given(
    st.text(st.characters())
    | st.lists(st.sampled_from(["Mon,", "01", "Jan", "2024", "+9999", "99999999999", "00:00:00", "GMT", "é"])).map(
        " ".join
    )
)
def test_any_date_is_read_or_none(value: str) -> None:
    moment = _parse_date(value)
    assert moment is None or moment.tzinfo is not None
    waited = _parse_retry_after(value)
    assert waited is None or waited >= 0


def attempt(
    errors: list[SourceBrokeError], *, reset_after: int | None = None, stop_at: float = float("inf")
) -> list[tuple[int, float, int]]:
    notes: list[tuple[int, float, int]] = []

    async def play() -> None:
        settings = replace(SETTINGS, max_attempts=4, retry_base_seconds=0.001)
        attempts = Attempts(settings, lambda number, delay, offset, _: notes.append((number, delay, offset)), stop_at)
        for index, error in enumerate(errors):
            if index == reset_after:
                attempts.reset()
            await attempts.wait(error, 100 + index)

    run(play())
    return notes


def test_waits_grow_and_are_spread() -> None:
    notes = attempt([SourceBrokeError("x")] * 3)
    assert [(number, offset) for number, _, offset in notes] == [(1, 100), (2, 101), (3, 102)]
    for number, delay, _ in notes:
        assert 0.5 <= delay / (0.001 * 2 ** (number - 1)) <= 1
    assert len({delay for _, delay, _ in attempt([SourceBrokeError("x")]) + attempt([SourceBrokeError("x")])}) == 2


def test_last_attempt_is_not_waited_for() -> None:
    with pytest.raises(SourceBrokeError, match="gave up after 4 attempts: HTTP 503"):
        attempt([SourceBrokeError("HTTP 503")] * 4)


def test_something_received_makes_the_next_failure_a_first_one() -> None:
    assert [number for number, _, _ in attempt([SourceBrokeError("x")] * 5, reset_after=3)] == [1, 2, 3, 1, 2]


def test_server_may_ask_for_a_longer_wait_but_not_for_a_shorter() -> None:
    [(_, longer, _)] = attempt([SourceBrokeError("x", retry_after=0.05)])
    [(_, shorter, _)] = attempt([SourceBrokeError("x", retry_after=0.0)])
    assert longer == 0.05
    assert shorter >= 0.0005


def test_a_wait_that_would_outlast_the_invocation_is_not_begun() -> None:
    with pytest.raises(OutOfTimeError, match="the next attempt in 3600 s would be too late: HTTP 429"):
        attempt([SourceBrokeError("HTTP 429 Too Many Requests", retry_after=3600)], stop_at=1.0)
