"""Redirects are followed as far as they may be, and take along only what is meant for where they lead."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from csv_streamer.exceptions import FileError, SourceBrokeError
from csv_streamer.http.session import open_http_session
from csv_streamer.http.source import Source
from tests.support.sample_server import run_sample_server
from tests.unit.csv_streamer.http.raw_requests import OK, RANGE, SETTINGS, answering, ask, get, get_answer, run


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
        async with open_http_session(SETTINGS) as web:
            source = Source(web, f"{server}/hostile/redirect?token=led_here&to={target}", {"X-Api-Key": "hidden"})
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
        async with answering(*answers) as (url, requests), open_http_session(SETTINGS) as web:
            source = Source(web, f"{url}/start", {})
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
        async with answering(OK, DENIED) as (url, requests), open_http_session(SETTINGS) as web:
            source = Source(web, f"{url}/start", {})
            async with source.get({}) as response:
                await response.read()
            with pytest.raises(FileError, match="HTTP 403 Forbidden"):
                async with source.get({}):
                    pass
            return len(requests)

    assert run(play()) == 2


def test_twenty_redirects_are_followed_and_no_more(server: str) -> None:
    path = f"{server}/hostile/redirect?to=/files/units.csv%3Fbytes=10&hops="
    assert get(f"{path}19")[0] == 200
    with pytest.raises(FileError, match="more than 20 redirects"):
        get(f"{path}20")
    with pytest.raises(FileError, match="more than 20 redirects"):
        get(f"{server}/hostile/redirect-loop")


@pytest.mark.parametrize("target", ["ftp://host/a", "file:///etc/passwd", "data:text/csv,a", "gopher://host/"])
def test_redirect_to_another_scheme_is_refused(server: str, target: str) -> None:
    with pytest.raises(FileError, match=f"redirected to a {target.partition(':')[0]}: URL"):
        get(f"{server}/hostile/redirect?to={quote(target, safe='')}")


def test_redirect_without_a_location_is_a_refusal() -> None:
    with pytest.raises(FileError, match="HTTP 302 Found"):
        get_answer(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")


def test_redirects_location_is_sent_byte_for_byte() -> None:
    path = b"/a%2Fb.csv?sig=a%2Bb%2f+c%7E"

    async def play() -> bytes:
        async with answering(b"HTTP/1.1 302 Found\r\nLocation: " + path + b"\r\n\r\n", OK) as (url, requests):
            await ask(f"{url}/")
            return requests[1]

    assert run(play()).split(b"\r\n")[0] == b"GET " + path + b" HTTP/1.1"


@pytest.mark.parametrize(
    "location",
    [b"http://[nonsense]/", b"http://" + b"a" * 64 + b".example/", b"http://a..example/", b"http://h:x/", b"\xff\xfe"],
)
def test_redirect_to_what_is_no_url_fails_its_file(location: bytes) -> None:
    with pytest.raises((FileError, SourceBrokeError)):
        get_answer(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")
