"""The proxy: bytes pass unchanged, requests are told apart, ends are passed on. Paces are checked by arithmetic."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from tests.bench.fakes.proxy import Bucket, Path, Proxy

LOOPBACK = Path()

type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
type Client = Callable[[int, Proxy], Awaitable[None]]


def run_behind_proxy(handler: Handler, client: Client, path: Path = LOOPBACK) -> None:
    """Run a client against a server with the proxy in between."""

    async def run() -> None:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        proxy = Proxy(path, "127.0.0.1", server.sockets[0].getsockname()[1])
        port = await proxy.start()
        try:
            async with asyncio.timeout(30):
                await client(port, proxy)
        finally:
            await proxy.stop()
            server.close()

    asyncio.run(run())


async def echo_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


def test_bucket_lets_bytes_pass_at_its_rate() -> None:
    bucket = Bucket(1_000.0, burst_seconds=0.1)
    assert bucket.take(100, now=50.0) == 0.0  # what has gathered
    assert bucket.take(500, now=50.0) == pytest.approx(0.5)
    assert bucket.take(500, now=50.5) == pytest.approx(0.5)
    assert bucket.take(100, now=99.0) == 0.0  # no more than the burst has gathered meanwhile
    assert bucket.take(1_000, now=99.0) == pytest.approx(1.0)


def test_bucket_without_a_rate_never_waits() -> None:
    assert [Bucket(0.0).take(10**9, now=float(now)) for now in range(3)] == [0.0, 0.0, 0.0]


def test_each_request_is_counted_once_however_many_pieces_it_has() -> None:
    async def talk(port: int, proxy: Proxy) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(3):
            writer.write(b"half ")
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(b"%d\n" % number)
            assert await reader.readline() == b"HALF %d\n" % number
        writer.close()
        assert proxy.requests == 3

    run_behind_proxy(echo_lines, talk, Path(latency_seconds=0.001))


@pytest.mark.parametrize("rate", [0.0, 40e6])
def test_bytes_pass_unchanged_both_ways(rate: float) -> None:
    content = bytes(range(256)) * 4_000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = await reader.readexactly(len(content))
        writer.write(hashlib.sha256(received).digest() + received[::-1])
        writer.close()

    async def talk(port: int, proxy: Proxy) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(content)
        answered = await reader.read(-1)
        assert answered == hashlib.sha256(content).digest() + content[::-1]
        writer.close()

    run_behind_proxy(answer, talk, Path(0.001, rate))


def test_end_of_the_server_reaches_the_client() -> None:
    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.transport.abort()

    async def talk(port: int, proxy: Proxy) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()

    run_behind_proxy(end, talk)


def test_server_that_is_not_there_ends_the_connection() -> None:
    async def run() -> None:
        gone = await asyncio.start_server(echo_lines, "127.0.0.1", 0)
        port = gone.sockets[0].getsockname()[1]
        gone.close()
        await gone.wait_closed()
        proxy = Proxy(Path(), "127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", await proxy.start())
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            async with asyncio.timeout(10):
                await reader.readexactly(1)
        writer.close()
        await proxy.stop()

    asyncio.run(run())
