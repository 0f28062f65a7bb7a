"""A fast fake of S3 and DynamoDB: it receives all bytes, keeps few, and counts requests.

The emulator needs 2 ms and a whole core for a request, so that the bench would measure the emulator. This server speaks
just enough HTTP/1.1. In addition to S3 it serves `GET /_bench/stats` (requests by operation, bytes),
`GET /_bench/objects` (sizes and CRC-32s by part), `POST /_bench/reset` (forgets counts and uploads, and objects unless
`?keep`) and `POST /_bench/make?place=bucket/key&size=N&seed=S` (an object of noise that takes no memory).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import zlib
from asyncio import BaseTransport, Transport
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.bench.fakes.dynamodb_table import Table
from tests.bench.fakes.object_store import MIB, Store
from tests.bench.fakes.s3_messages import Reply, Request

_BUFFER_BYTES = 1 << 20
_LARGEST_HEAD = 65_536
_END_OF_HEAD = b"\r\n\r\n"
_ADMIN = "_bench"


class Connection(asyncio.BufferedProtocol):
    """One connection: requests one after another."""

    def __init__(self, store: Store, table: Table) -> None:
        self._store = store
        self._table = table
        self._transport: Transport | None = None
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._head = bytearray()
        self._request: Request | None = None
        self._missing = 0
        self._size = 0
        self._crc32 = 0
        self._kept: bytearray | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        self._transport = cast("Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        view = self._buffer[:nbytes]
        while len(view) or (self._request and not self._missing):
            view = self._take_head(view) if self._request is None else self._take_body(view)

    def _take_head(self, view: memoryview) -> memoryview:
        before = len(self._head)
        self._head += view[:_LARGEST_HEAD]
        end = self._head.find(_END_OF_HEAD, max(before - 3, 0))
        if end < 0:
            if len(self._head) >= _LARGEST_HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return view[_LARGEST_HEAD:]
        used = end + len(_END_OF_HEAD) - before
        self._begin(_read_head(self._head[:end].decode("latin-1")))
        self._head.clear()
        return view[used:]

    def _begin(self, request: Request) -> None:
        if "transfer-encoding" in request.headers or "aws-chunked" in request.headers.get("content-encoding", ""):
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
            return
        self._request = request
        self._missing = self._size = int(request.headers.get("content-length", 0))
        self._crc32 = 0
        self._kept = bytearray() if self._size <= self._store.kept_bytes else None
        if request.headers.get("expect", "").lower() == "100-continue" and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_body(self, view: memoryview) -> memoryview:
        piece = view[: self._missing]
        self._crc32 = zlib.crc32(piece, self._crc32)
        if self._kept is not None:
            self._kept += piece
        self._missing -= len(piece)
        if not self._missing:
            self._answer()
        return view[len(piece) :]

    def _answer(self) -> None:
        head, self._request = cast("Request", self._request), None
        body = None if self._kept is None else bytes(self._kept)
        request = Request(head.method, head.bucket, head.key, head.query, head.headers, self._size, self._crc32, body)
        if request.bucket == _ADMIN:
            reply = administer(self._store, request)
        elif target := request.headers.get("x-amz-target"):
            reply = self._table.handle(target, body or b"")
        else:
            reply = self._store.handle(request)
        if reply.delay_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(reply.delay_seconds, lambda: self._send(reply, is_head=False))
        else:
            self._send(reply, is_head=request.method == "HEAD")

    def _send(self, reply: Reply, *, is_head: bool) -> None:
        headers = {"Content-Length": str(len(reply.body)), "Server": "stand-in"} | dict(reply.headers)
        lines = [f"HTTP/1.1 {int(reply.status)} {HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if self._transport:
            self._transport.write(
                "\r\n".join(lines).encode("latin-1") + _END_OF_HEAD + (b"" if is_head else reply.body)
            )

    def _refuse(self, status: HTTPStatus) -> None:
        self._send(Reply(status, {"Connection": "close"}), is_head=False)
        if self._transport:
            self._transport.close()


def _read_head(text: str) -> Request:
    first, *lines = text.split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    parts = urlsplit(target)
    bucket, _, key = unquote(parts.path.lstrip("/")).partition("/")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, bucket, key, query, headers)


def administer(store: Store, request: Request) -> Reply:
    """Answer what the bench asks about the fake S3 itself."""
    if request.key == "reset":
        store.reset()
        store.objects = {place: stored for place, stored in store.objects.items() if "keep" in request.query}
        store.uploads.clear()
        return Reply(HTTPStatus.NO_CONTENT)
    if request.key == "make":
        bucket, _, key = request.query["place"].partition("/")
        store.make(bucket, key, int(request.query["size"]), request.query["seed"])
        return Reply(HTTPStatus.NO_CONTENT)
    if request.key == "stats":
        found: object = {
            "requests": store.counts,
            "received": store.received,
            "sent": store.sent,
            "uploads": len(store.uploads),
        }
    else:
        found = {
            f"{bucket}/{key}": [[piece.size, piece.crc32] for piece in stored.pieces]
            for (bucket, key), stored in store.objects.items()
        }
    return Reply(HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(found).encode())


async def start(store: Store, port: int = 0) -> tuple[asyncio.Server, int]:
    """Listen on loopback; returns the server and its port."""
    table = Table()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(store, table), "127.0.0.1", port, backlog=512
    )
    return server, int(server.sockets[0].getsockname()[1])


async def _serve(port: int, store: Store) -> None:
    _, listening = await start(store, port)
    print(listening, flush=True)
    await asyncio.Event().wait()


def main() -> int:
    """Run until killed; prints the port first."""
    parser = argparse.ArgumentParser(description="Stand in for S3.")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (a free one)")
    parser.add_argument("--keep-mib", type=int, default=2, help="MiB: bodies up to this size can be read back")
    parser.add_argument("--keep-parts-mib", type=int, help="MiB: the same of parts of uploads, if less")
    chosen = parser.parse_args()
    parts = chosen.keep_mib if chosen.keep_parts_mib is None else chosen.keep_parts_mib
    asyncio.run(_serve(chosen.port, Store(chosen.keep_mib * MIB, parts * MIB)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
