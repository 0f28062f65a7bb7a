"""Answers that break HTTP are refused with the reason, once; answers that broke off, or are none, may come better."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from csv_streamer.exceptions import CsvStreamerError, FileError, SourceBrokeError
from csv_streamer.http.session import open_http_session
from csv_streamer.http.source import Source, read_body
from tests.unit.csv_streamer.conftest import Streamer
from tests.unit.csv_streamer.http.raw_requests import SETTINGS, get_answer, run
from tests.unit.csv_streamer.ranged_server import ranged_server

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "can't be present with"),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n", "can't be present with"),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", "Duplicate Content-Length"),
        (OK + b"Content-Length: 2, 2\r\n\r\nok", "Invalid character in Content-Length"),
        (OK + b"Content-Length: -2\r\n\r\nok", "Invalid character in Content-Length"),
        (OK + b"Content-Length: 99999999999999999999\r\n\r\nok", "Content-Length overflow"),
        (OK + b"Content-Length: 2\r\n\r\nokmore", "longer than its Content-Length"),
        (OK + b"Content-Length: 3\r\n\r\nok\nmore\nmore\n", "longer than its Content-Length"),
        (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nokmore", "Data after `Connection: close`"),
        (CHUNKED + b"0\r\n\r\nmore", "longer than its Content-Length, or its last chunk"),
        (CHUNKED.replace(b"\r\n2\r\n", b"\r\nzz\r\n"), "Invalid character in chunk size"),
        (OK + b"Bad Header: x\r\nContent-Length: 2\r\n\r\nok", "Invalid header token"),
        (OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\nok", "Invalid HTTP header"),
        (OK + b"X: " + b"x" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok", "Got more than 65536 bytes"),
        (OK + b"X: y\r\n" * 1000 + b"Content-Length: 2\r\n\r\nok", "Too many headers"),
    ],
)
def test_answer_that_breaks_the_rules_is_refused_with_the_reason(answer: bytes, reason: str) -> None:
    with pytest.raises(FileError, match="not valid HTTP") as refusal:
        get_answer(answer)
    assert reason in str(refusal.value)
    assert refusal.value.code == "answer_invalid"


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9\r\n", b"\x16\x03\x01", b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 x"]
)
def test_what_is_no_answer_at_all_may_come_better(answer: bytes) -> None:
    with pytest.raises(SourceBrokeError):
        get_answer(answer)


@asynccontextmanager
async def answering_in_two(first: bytes, second: bytes) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.write(second)
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/a.csv"


@pytest.mark.parametrize(
    ("second", "error"),
    [
        (b"zz\r\nok\r\n0\r\n\r\n", FileError),
        (b"2\r\nokXX0\r\n\r\n", FileError),
        (b"0\r\nbad trailer\r\n\r\n", FileError),
        (b"9\r\nok", SourceBrokeError),
        (b"", SourceBrokeError),
    ],
)
def test_body_that_breaks_the_rules_after_its_beginning_ends(second: bytes, error: type[CsvStreamerError]) -> None:
    """aiohttp closes the connection and lets the reader wait for ever."""

    async def play() -> list[bytes]:
        async with (
            answering_in_two(CHUNKED, second) as url,
            open_http_session(replace(SETTINGS, stall_seconds=5)) as web,
            Source(web, url, {}).get({}) as response,
        ):
            return [chunk async for chunk in read_body(response, 65536)]

    with pytest.raises(error):
        run(play())


def test_answer_that_breaks_the_rules_is_asked_for_once(streamer: Streamer) -> None:
    with ranged_server(1000) as server:
        server.raw = OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"
        (result,) = streamer.run({"url": server.url, "name": "a.csv"})
        assert (result["status"], result["code"]) == ("failed", "answer_invalid")
        assert "Duplicate Content-Length" in result["error"]
        assert len(server.requests) == 1
    assert not streamer.named("file_retry")
