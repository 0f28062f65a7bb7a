"""A TCP proxy that makes loopback feel like a network: latency for each request, a bandwidth cap for each connection.

A request begins where the client speaks after the server did (or first of all); its first bytes wait for the latency.
So a `100-continue` costs a second round trip, as on a real path. Bandwidth is capped both ways, each on its own.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from asyncio import BaseTransport, Transport
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from weakref import WeakSet

MB = 1_000_000
# What may pass at once before the cap bites: a fraction of a second's worth.
_BURST_SECONDS = 0.01
# Small, so that bytes wait at the sender, as on a path, and not in the kernel's megabytes.
_SOCKET_BUFFER_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Path:
    """What the path adds."""

    latency_seconds: float = 0.0
    bytes_per_second: float = 0.0
    """Per connection and direction; 0 means no cap."""


class Bucket:
    """A token bucket that says when bytes may pass. Times are the event loop's, in seconds."""

    def __init__(self, bytes_per_second: float, burst_seconds: float = _BURST_SECONDS) -> None:
        self._rate = bytes_per_second
        self._burst = burst_seconds
        self._free_at = float("-inf")

    def take(self, count: int, now: float) -> float:
        """Take tokens for so many bytes; returns how long nothing more may pass."""
        if not self._rate:
            return 0.0
        self._free_at = max(self._free_at, now - self._burst) + count / self._rate
        return max(self._free_at - now, 0.0)


class _Side(asyncio.Protocol):
    """One end of a connection: takes bytes in, and passes them to the other end when it is time."""

    def __init__(self, path: Path) -> None:
        self.transport: Transport | None = None
        self.other: _Side | None = None
        self._bucket = Bucket(path.bytes_per_second)
        self._loop = asyncio.get_running_loop()
        self._waits = False
        self._is_full = False
        self._pending: list[bytes] = []
        self._ended = False

    def connection_made(self, transport: BaseTransport) -> None:
        self.transport = cast("Transport", transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._pending.append(data)
        if not self._waits:
            self._wait(self.find_delay())

    def find_delay(self) -> float:
        """Return how long the bytes at hand have to wait because of what they are."""
        return 0.0

    def _wait(self, seconds: float) -> None:
        self._waits = True
        self._set_reading()
        if seconds > 0:
            self._loop.call_later(seconds, self._pass_on)
        else:
            self._pass_on()

    def _pass_on(self) -> None:
        self._waits = False
        if self._pending and self.other and self.other.transport:
            data, self._pending = b"".join(self._pending), []
            self.other.transport.write(data)
            pause = self._bucket.take(len(data), self._loop.time())
            if pause:
                self._wait(pause)
                return
        self._set_reading()
        if self._ended:
            self._end_other()

    def _set_reading(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self._waits or self._is_full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        if self.other:
            self.other.set_full(is_full=True)

    def resume_writing(self) -> None:
        if self.other:
            self.other.set_full(is_full=False)

    def set_full(self, *, is_full: bool) -> None:
        """Take note that the other end takes no more for now, or does again."""
        self._is_full = is_full
        self._set_reading()

    def eof_received(self) -> bool:
        self._ended = True
        if not self._waits:
            self._end_other()
        return True

    def _end_other(self) -> None:
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc and self.other and self.other.transport:
            self.other.transport.abort()
        elif not self._waits:
            self._end_other()
        self._ended = True


class _ServerSide(_Side):
    """The end towards the server."""

    def __init__(self, path: Path, client: _ClientSide) -> None:
        super().__init__(path)
        self.other = client

    def data_received(self, data: bytes) -> None:
        cast("_ClientSide", self.other).is_answered = True
        super().data_received(data)


class _ClientSide(_Side):
    """The end towards the client; makes the connection to the server."""

    def __init__(self, path: Path, host: str, port: int, count: Callable[[], None]) -> None:
        super().__init__(path)
        self._path, self._host, self._port, self._count = path, host, port, count
        self.is_answered = True
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._waits = True
        self._set_reading()
        self._task = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            _, server = await self._loop.create_connection(
                lambda: _ServerSide(self._path, self), sock=await _open_socket(self._host, self._port)
            )
        except OSError:
            if self.transport:
                self.transport.abort()
            return
        self.other = server
        self._pass_on()

    def find_delay(self) -> float:
        if not self.is_answered:
            return 0.0
        self.is_answered = False
        self._count()
        return self._path.latency_seconds


async def _open_socket(host: str, port: int) -> socket.socket:
    sock = socket.socket()
    try:
        # Before connecting: the window is agreed on then.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_BYTES)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
    except BaseException:
        sock.close()
        raise
    return sock


class Proxy:
    """Listens on a free port of loopback, and passes everything to one server."""

    def __init__(self, path: Path, host: str, port: int) -> None:
        self._path, self._host, self._port = path, host, port
        self._server: asyncio.Server | None = None
        self._open: WeakSet[_ClientSide] = WeakSet()
        self.requests = 0
        """Requests passed on so far."""

    async def start(self, listen: int = 0) -> int:
        """Listen, and return the port."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_BYTES)
        sock.bind(("127.0.0.1", listen))
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, sock=sock, backlog=512)
        port: int = sock.getsockname()[1]
        return port

    def _accept(self) -> _ClientSide:
        side = _ClientSide(self._path, self._host, self._port, self._count)
        self._open.add(side)
        return side

    def _count(self) -> None:
        self.requests += 1

    async def stop(self) -> None:
        """Stop listening, and end all connections."""
        if self._server:
            self._server.close()
            for side in list(self._open):
                if side.transport:
                    side.transport.abort()
            await self._server.wait_closed()


async def _serve(arguments: argparse.Namespace) -> None:
    host, _, port = str(arguments.to).rpartition(":")
    path = Path(arguments.latency_ms / 1000, arguments.mb_per_second * MB)
    listening = await Proxy(path, host, int(port)).start(arguments.port)
    print(listening, flush=True)
    await asyncio.Event().wait()


def main() -> int:
    """Run until killed; prints the port first."""
    parser = argparse.ArgumentParser(description="Add latency to requests and cap each connection's bandwidth.")
    parser.add_argument("--to", required=True, help="HOST:PORT of the server")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (a free one)")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="milliseconds added to each request")
    parser.add_argument("--mb-per-second", type=float, default=0.0, help="cap per connection and direction; 0: none")
    asyncio.run(_serve(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
