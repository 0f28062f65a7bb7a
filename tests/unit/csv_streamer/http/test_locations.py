"""Where a redirect leads is what its server wrote, byte for byte; user and password stay with their origin."""

import base64
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from csv_streamer.exceptions import FileError
from csv_streamer.inputs.urls import parse_location, parse_url
from tests.unit.csv_streamer.http.raw_requests import OK, answering, ask, run

BASE = URL("http://host/folder/file?q=1")


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        (b"/caf\xe9.csv", "http://host/caf%E9.csv"),
        ("/café.csv".encode(), "http://host/caf%C3%A9.csv"),
        (b"/a b.csv", "http://host/a%20b.csv"),
        (b"/a b.csv?x=1 2&y=\xe9", "http://host/a%20b.csv?x=1%202&y=%E9"),
        (b"/a%20b%2Fc%e9.csv?s=%2b+/=", "http://host/a%20b%2Fc%e9.csv?s=%2b+/="),
        (b"  /a.csv\t", "http://host/a.csv"),
        (b"/a\x01\x7f.csv", "http://host/a%01%7F.csv"),
        (b"b.csv", "http://host/folder/b.csv"),
        (b"../b\xff", "http://host/b%FF"),
        (b"?q=\xff", "http://host/folder/file?q=%FF"),
        (b"//other/\xff", "http://other/%FF"),
        (b"", "http://host/folder/file?q=1"),
        ("https://münchen.example/ü".encode(), "https://xn--mnchen-3ya.example/%C3%BC"),
        (b"/a|b^c{d}\"e'f<g>", "http://host/a|b^c{d}\"e'f<g>"),
        (b"/\xc3\xa9\xe9", "http://host/%C3%A9%E9"),
    ],
)
def test_location_is_read_as_browsers_and_curl_do(raw: bytes, target: str) -> None:
    assert str(BASE.join(parse_location(raw.decode("utf-8", "surrogateescape")))) == target


@pytest.mark.parametrize("raw", [b"http://m\xfcnchen/", b"http://host:x/", b"http://[::1/", b"http://host:99999/"])
def test_location_without_a_valid_host_is_refused(raw: bytes) -> None:
    with pytest.raises(FileError, match="redirected to what is not a URL") as refusal:
        parse_location(raw.decode("utf-8", "surrogateescape"))
    assert refusal.value.code == "redirect_invalid"


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_byte_of_a_path_is_lost(raw: bytes) -> None:
    """Whatever is in it, what is requested decodes to what was sent."""
    kept = bytes(byte for byte in raw if byte not in b"/?#%.\t\r\n")
    location = b"/x" + kept + b"x"
    target = BASE.join(parse_location(location.decode("utf-8", "surrogateescape")))
    assert unquote_to_bytes(target.raw_path) == location


def play_redirect(location: bytes, url: str = "/start", headers: Mapping[str, str] | None = None) -> list[bytes]:
    async def play() -> list[bytes]:
        answers = [b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n", OK]
        async with answering(*answers) as (server, requests):
            await ask(server.replace("//", "//user:p%40ss@") + url, headers)
            return requests

    return run(play())


def test_latin1_byte_of_a_location_is_asked_for() -> None:
    assert play_redirect(b"/caf\xe9.csv")[1].startswith(b"GET /caf%E9.csv HTTP/1.1")


def test_user_and_password_are_kept_on_the_same_origin() -> None:
    wanted = b"Authorization: Basic " + base64.b64encode(b"user:p@ss")
    assert [wanted in request for request in play_redirect(b"/other")] == [True, True]


def test_user_and_password_of_a_location_are_its_own() -> None:
    async def play() -> list[bytes]:
        async with answering(OK) as (there, requests):
            location = there.replace("//", "//else:where@").encode()
            redirect = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"/x\r\nContent-Length: 0\r\n\r\n"
            async with answering(redirect) as (here, _):
                await ask(here.replace("//", "//user:secret@") + "/a")
                return requests

    (request,) = run(play())
    assert b"Authorization: Basic " + base64.b64encode(b"else:where") in request


def test_password_beyond_latin1_is_sent_as_utf8() -> None:
    url = parse_url("http://üser:pässwörd€@host/")
    assert url.raw_user == "%C3%BCser"


def test_cookie_of_another_host_is_not_sent() -> None:
    async def play() -> list[bytes]:
        async with answering(OK) as (there, requests):
            location = there.replace("127.0.0.1", "localhost").encode()
            lines = b"Set-Cookie: session=hidden\r\nLocation: " + location
            async with answering(b"HTTP/1.1 302 Found\r\n" + lines + b"/x\r\nContent-Length: 0\r\n\r\n") as (here, _):
                await ask(f"{here}/a")
                return requests

    assert b"hidden" not in run(play())[0]
