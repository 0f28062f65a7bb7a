"""Requests as the streamer makes them, and servers that answer them byte by byte as a test says."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from csv_streamer.http.session import open_http_session
from csv_streamer.http.source import Source, read_head
from csv_streamer.schemas import Head
from csv_streamer.settings import Settings

SETTINGS = Settings.from_environment({"BUCKET_NAME": "b", "ALLOW_PRIVATE_HOSTS": "true"})
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
RANGE = {"Range": "bytes=100-", "If-Range": '"e"'}


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


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
        open_http_session(SETTINGS) as web,
        Source(web, url, headers or {}).get(conditions or {}) as response,
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
