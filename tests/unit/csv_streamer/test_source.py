"""What servers answer is told apart: what passes, what stays, another version, and where not to follow."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from csv_streamer.exceptions import FileError, SourceBrokeError, SourceChangedError
from csv_streamer.schemas import Head, Validators
from csv_streamer.settings import Settings
from csv_streamer.source import Attempts, Source, _parse_date, _parse_retry_after, check_range, open_session, read_head
from tests.sample_server import run_sample_server

SETTINGS = Settings.from_environment({"BUCKET_NAME": "b", "ALLOW_PRIVATE_HOSTS": "true"})
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
RANGE = {"Range": "bytes=100-", "If-Range": '"e"'}
HEAD = Head("http://h/a", 1000, Validators('"e"'), accepts_ranges=True)


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with run_sample_server() as address:
        yield address


@pytest.fixture(scope="module")
def other_server() -> Iterator[str]:
    """The same on another port: another origin."""
    with run_sample_server() as address:
        yield address


def recall(server: str, token: str) -> list[dict[str, Any]]:
    """What the requests with a token said."""
    with urlopen(f"{server}/requests/{token}") as answer:
        requests: list[dict[str, Any]] = json.load(answer)
        return requests


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives these answers, a connection each and the last one for ever; and the requests it got."""
    requests: list[bytes] = []
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", requests


type Result = tuple[int, bytes, Head]


async def ask(
    url: str, headers: Mapping[str, str] | None = None, conditions: Mapping[str, str] | None = None
) -> Result:
    async with (
        open_session(SETTINGS) as session,
        Source(session, url, headers or {}).get(conditions or {}) as response,
    ):
        return response.status, await response.read(), read_head(response)


def get(url: str, headers: Mapping[str, str] | None = None, conditions: Mapping[str, str] | None = None) -> Result:
    return run(ask(url, headers, conditions))


def get_answer(answer: bytes, conditions: Mapping[str, str] | None = None) -> Result:
    async def play() -> Result:
        async with answering(answer) as (url, _):
            return await ask(f"{url}/a.csv", None, conditions)

    return run(play())


def head_of(*lines: bytes) -> Head:
    return get_answer(b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"Content-Length: 2", b"", b"ok"]))[2]


# --- requests


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


def test_redirects_location_is_sent_byte_for_byte() -> None:
    path = b"/a%2Fb.csv?sig=a%2Bb%2f+c%7E"

    async def play() -> bytes:
        async with answering(b"HTTP/1.1 302 Found\r\nLocation: " + path + b"\r\n\r\n", OK) as (url, requests):
            await ask(f"{url}/")
            return requests[1]

    assert run(play()).split(b"\r\n")[0] == b"GET " + path + b" HTTP/1.1"


def test_letters_beyond_ascii_are_percent_encoded() -> None:
    async def play() -> bytes:
        async with answering(OK) as (url, requests):
            await ask(f"{url}/données.csv?q=é")
            return requests[0]

    assert run(play()).split(b"\r\n")[0] == b"GET /donn%C3%A9es.csv?q=%C3%A9 HTTP/1.1"


def test_cookies_are_not_kept() -> None:
    async def play() -> list[bytes]:
        async with answering(b"HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nLocation: /b\r\n\r\n", OK) as (url, requests):
            await ask(f"{url}/a")
            return requests

    assert [b"cookie" in request.lower() for request in run(play())] == [False, False]


def test_credentials_of_a_url_are_sent(server: str) -> None:
    assert get(server.replace("//", "//user:secret@") + "/hostile/protected?bytes=10")[0] == 200


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://user:hidden@127.0.0.1:9/", {"Authorization": "Bearer hidden"}),
        ("http://hidden€:hidden@127.0.0.1:9/", {}),
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


@pytest.mark.parametrize(
    "location",
    [b"http://[nonsense]/", b"http://" + b"a" * 64 + b".example/", b"http://a..example/", b"http://h:x/", b"\xff\xfe"],
)
def test_redirect_to_what_is_no_url_fails_its_file(location: bytes) -> None:
    with pytest.raises((FileError, SourceBrokeError)):
        get_answer(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_headers_and_conditions(server: str, status: int) -> None:
    target = quote("/hostile/echo", safe="")
    _, body, head = get(f"{server}/hostile/redirect?status={status}&to={target}", {"X-Key": "1"}, RANGE)
    headers = json.loads(body)
    assert (headers["x-key"], headers["range"], headers["if-range"]) == ("1", "bytes=100-", '"e"')
    assert head.url == f"{server}/hostile/echo"


def test_headers_of_an_entry_do_not_travel_to_another_origin(server: str, other_server: str) -> None:
    target = quote(f"{other_server}/files/units.csv?bytes=10&token=origin_there", safe="")
    secret = {"Authorization": "Bearer hidden", "X-Api-Key": "hidden", "Cookie": "hidden=1"}
    get(f"{server}/hostile/redirect?token=origin_here&to={target}", secret, RANGE)
    [first], [second] = recall(server, "origin_here"), recall(other_server, "origin_there")
    assert "hidden" in json.dumps(first)
    assert "hidden" not in json.dumps(second)
    assert "bytes=100-" in json.dumps(second)


def test_headers_do_not_come_back_with_a_way_back(server: str, other_server: str) -> None:
    home = f"{server}/files/units.csv?bytes=10&token=back_home"
    away = f"{other_server}/hostile/redirect?to={quote(home, safe='')}"
    get(f"{server}/hostile/redirect?to={quote(away, safe='')}", {"X-Api-Key": "hidden"})
    assert "hidden" not in json.dumps(recall(server, "back_home"))


def test_credentials_of_a_url_do_not_travel_to_another_origin(server: str, other_server: str) -> None:
    target = quote(f"{other_server}/files/units.csv?bytes=10&token=user_there", safe="")
    get(f"{server.replace('//', '//user:secret@')}/hostile/redirect?token=user_here&to={target}")
    sent = [
        [name.lower() for name in recall(one, token)[0]["headers"]]
        for one, token in ((server, "user_here"), (other_server, "user_there"))
    ]
    assert ["authorization" in names for names in sent] == [True, False]


def test_next_ranges_go_where_the_first_was_led_still_without_headers(server: str, other_server: str) -> None:
    target = quote(f"{other_server}/files/units.csv?bytes=1000&token=led_there", safe="")

    async def play() -> None:
        async with open_session(SETTINGS) as session:
            source = Source(session, f"{server}/hostile/redirect?token=led_here&to={target}", {"X-Api-Key": "hidden"})
            for _ in range(3):
                async with source.get({"Range": "bytes=1-2"}) as response:
                    assert (response.status, len(await response.read())) == (206, 2)

    run(play())
    assert len(recall(server, "led_here")) == 1
    there = recall(other_server, "led_there")
    assert len(there) == 3
    assert "hidden" not in json.dumps(there)


def get_twice(between: Callable[[Source], None], *answers: bytes) -> list[str]:
    """Ask for `/start` twice of a server with these answers; return the paths that were asked for."""

    async def play() -> list[str]:
        async with answering(*answers) as (url, requests), open_session(SETTINGS) as session:
            source = Source(session, f"{url}/start", {})
            for _ in range(2):
                async with source.get({}) as response:
                    await response.read()
                between(source)
            return [request.split()[1].decode() for request in requests]

    return run(play())


REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /signed\r\nContent-Length: 0\r\n\r\n"
DENIED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


def test_redirect_can_be_forgotten() -> None:
    assert get_twice(Source.forget_redirect, REDIRECT, OK, REDIRECT, OK) == ["/start", "/signed"] * 2


def test_redirect_that_has_expired_is_asked_for_anew() -> None:
    paths = get_twice(lambda _: None, REDIRECT, OK, DENIED, REDIRECT, OK)
    assert paths == ["/start", "/signed", "/signed", "/start", "/signed"]


def test_refusal_without_a_redirect_is_believed_at_once() -> None:
    async def play() -> int:
        async with answering(OK, DENIED) as (url, requests), open_session(SETTINGS) as session:
            source = Source(session, f"{url}/start", {})
            async with source.get({}) as response:
                await response.read()
            with pytest.raises(FileError, match="HTTP 403 Forbidden"):
                async with source.get({}):
                    pass
            return len(requests)

    assert run(play()) == 2


def test_five_redirects_are_followed_and_no_more(server: str) -> None:
    path = f"{server}/hostile/redirect?to=/files/units.csv%3Fbytes=10&hops="
    assert get(f"{path}4")[0] == 200
    with pytest.raises(FileError, match="more than 5 redirects"):
        get(f"{path}5")
    with pytest.raises(FileError, match="more than 5 redirects"):
        get(f"{server}/hostile/redirect-loop")


@pytest.mark.parametrize("target", ["ftp://host/a", "file:///etc/passwd", "data:text/csv,a", "gopher://host/"])
def test_redirect_to_another_scheme_is_refused(server: str, target: str) -> None:
    with pytest.raises(FileError, match=f"redirected to a {target.partition(':')[0]}: URL"):
        get(f"{server}/hostile/redirect?to={quote(target, safe='')}")


def test_redirect_without_a_location_is_a_refusal() -> None:
    with pytest.raises(FileError, match="HTTP 302 Found"):
        get_answer(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")


# --- failures


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


def test_header_of_endless_length_may_pass_and_costs_no_memory() -> None:
    with pytest.raises(SourceBrokeError, match="not HTTP as it should be"):
        get_answer(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")


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
            open_session(replace(SETTINGS, stall_seconds=1)) as session,
            Source(session, f"{server}/hostile/slow-headers?delay=4&bytes=1", {}).get({}),
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


# --- Retry-After and attempts


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


def attempt(errors: list[SourceBrokeError], *, reset_after: int | None = None) -> list[tuple[int, float, int]]:
    notes: list[tuple[int, float, int]] = []

    async def play() -> None:
        settings = replace(SETTINGS, max_attempts=4, retry_base_seconds=0.001)
        attempts = Attempts(settings, lambda number, delay, offset, _: notes.append((number, delay, offset)))
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


# --- heads and ranges


def test_head_tells_what_the_server_says() -> None:
    head = head_of(
        b'ETag: "e"',
        b"Last-Modified: Sat, 07 Mar 2026 01:02:03 GMT",
        b"Date: Sat, 07 Mar 2026 01:03:03 GMT",
        b"Accept-Ranges: Bytes",
        b"Content-Type: text/csv",
        b"Content-Disposition: attachment; filename=\xc3\xa9.csv",
    )
    assert (head.length, head.accepts_ranges, head.resumable) == (2, True, True)
    assert head.validators == Validators('"e"', "Sat, 07 Mar 2026 01:02:03 GMT", last_modified_is_strong=True)
    assert (head.content_type, head.content_encoding) == ("text/csv", None)
    assert head.disposition == "attachment; filename=é.csv"


@pytest.mark.parametrize(
    ("lines", "strong"),
    [
        ([b'ETag: "e"'], '"e"'),
        ([b'ETag: W/"e"'], None),
        ([b'ETag: W/"e"', b"Last-Modified: Sat, 07 Mar 2026 01:00:00 GMT", b"Date: Sat, 07 Mar 2026 01:02:00 GMT"],
         "Sat, 07 Mar 2026 01:00:00 GMT"),
        ([b"Last-Modified: Sat, 07 Mar 2026 01:01:30 GMT", b"Date: Sat, 07 Mar 2026 01:02:00 GMT"], None),
        ([b"Last-Modified: Sat, 07 Mar 2026 01:02:30 GMT", b"Date: Sat, 07 Mar 2026 01:02:00 GMT"], None),
        ([b"Last-Modified: Sat, 07 Mar 2026 01:00:00 GMT"], None),
        ([b"Last-Modified: yesterday", b"Date: Sat, 07 Mar 2026 01:02:00 GMT"], None),
        ([b"Last-Modified: Mon, 01 Jan 2024 00:00:00 +99999999999999999", b"Date: x"], None),
        ([b'ETag: "\xff"'], None),
        ([b'ETag: "\x01"'], None),
        ([b"ETag:"], None),
        ([], None),
    ],
)  # fmt: skip
def test_only_a_validator_that_can_be_relied_on_and_sent_is_strong(lines: list[bytes], strong: str | None) -> None:
    head = head_of(b"Accept-Ranges: bytes", *lines)
    assert head.validators.strong == strong
    assert head.resumable is (strong is not None)


def test_no_ranges_are_asked_of_a_server_that_does_not_offer_them() -> None:
    assert not head_of(b'ETag: "e"', b"Accept-Ranges: none").resumable
    assert not head_of(b'ETag: "e"').resumable


@pytest.mark.parametrize("value", [b"g\xffzip", b"gzip\x01"])
def test_encoding_that_cannot_be_stored_is_left_out(value: bytes) -> None:
    assert head_of(b"Content-Encoding: " + value).content_encoding is None


def test_chunked_body_has_no_length() -> None:
    head = get_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")[2]
    assert head.length is None
    assert get_answer(b"HTTP/1.1 200 OK\r\n\r\nok")[2].length is None


class Answer:
    """As much of a response as the check of a range looks at."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers


def check(content_range: str | None, head: Head = HEAD, start: int = 100, status: int = 206, **headers: str) -> int:
    given_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_range is not None:
        given_headers["Content-Range"] = content_range
    answer: Any = Answer(status, given_headers)
    return check_range(answer, head, start)


@pytest.mark.parametrize("content_range", ["bytes 100-999/1000", "bytes 100-199/1000", "bytes 100-999/*"])
def test_range_that_was_asked_for_is_accepted(content_range: str) -> None:
    assert check(content_range) == 1000
    assert check(content_range, ETag='"e"') == 1000


def test_range_tells_the_length_that_was_not_known() -> None:
    assert check("bytes 100-199/500", replace(HEAD, length=None)) == 500


@pytest.mark.parametrize(
    "content_range",
    [
        None,
        "",
        "bytes 99-999/1000",
        "bytes 101-999/1000",
        "bytes 0-999/1000",
        "bytes */1000",
        "bytes 100-/1000",
        "bytes=100-999/1000",
        "lines 100-999/1000",
        "bytes 100-999/1000 ",
        "bytes 100-999",
        "bytes -100-999/1000",
        "bytes 1\N{ARABIC-INDIC DIGIT ZERO}0-999/1000",
        "bytes some-of/it",
        f"bytes {'9' * 5000}-{'9' * 5000}/{'9' * 5000}",
    ],
)
def test_range_that_was_not_asked_for_is_refused(content_range: str | None) -> None:
    with pytest.raises(SourceChangedError):
        check(content_range)


def test_whole_file_in_place_of_a_range_is_refused() -> None:
    with pytest.raises(SourceChangedError):
        check("bytes 100-999/1000", status=200)


def test_other_length_or_other_etag_is_another_version() -> None:
    with pytest.raises(SourceChangedError, match="changed"):
        check("bytes 100-999/1001")
    with pytest.raises(SourceChangedError, match="changed"):
        check("bytes 100-999/1000", ETag='"f"')
    with pytest.raises(SourceChangedError, match="changed"):
        check("bytes 100-999/1000", ETag='W/"e"')


def test_other_date_is_another_version_where_the_date_is_all_there_is() -> None:
    dated = replace(HEAD, validators=Validators(None, "then", last_modified_is_strong=True))
    assert check("bytes 100-999/1000", dated) == 1000
    assert check("bytes 100-999/1000", dated, Last_Modified="then") == 1000
    with pytest.raises(SourceChangedError, match="changed"):
        check("bytes 100-999/1000", dated, Last_Modified="now")


def test_etag_outweighs_the_date() -> None:
    both = replace(HEAD, validators=Validators('"e"', "then", last_modified_is_strong=True))
    assert check("bytes 100-999/1000", both, ETag='"e"', Last_Modified="now") == 1000


def test_range_of_a_file_that_nobody_knows_the_end_of_is_refused() -> None:
    with pytest.raises(SourceChangedError, match="where the file ends"):
        check("bytes 100-199/*", replace(HEAD, length=None))
