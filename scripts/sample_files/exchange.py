"""A request and the operations that respond to it."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from sample_files.bodies import Body
from sample_files.catalogue import Resource, find_resource
from sample_files.request_log import RequestLog
from sample_files.target import Target

LINGER_ZERO = struct.pack("ii", 1, 0)
"""The socket option that makes a close a reset."""
_BYTES_PER_KB = 1_000
_CAPPED_BLOCK_BYTES = 16_384
_BURST_SECONDS = 0.05

type Headers = Iterable[tuple[str, str]]


class Exchange:
    """A request, and its response through the connection's handler.

    `kbps` in the query caps the body at so many thousand bytes a second; `delay` waits before the headers.
    """

    def __init__(self, handler: BaseHTTPRequestHandler, target: Target, request_log: RequestLog) -> None:
        self._handler = handler
        self.target = target
        self.request_log = request_log
        self._bytes_per_second = target.number("kbps", 0) * _BYTES_PER_KB
        self._due = 0.0

    @property
    def headers(self) -> Message:
        """Return the request's headers."""
        return self._handler.headers

    @property
    def is_head(self) -> bool:
        """Return whether the request is a HEAD request."""
        return self._handler.command == "HEAD"

    @property
    def token(self) -> str:
        """Return the token under which the server logs this request."""
        return self.target.text("token") or self.target.raw

    def find_resource(self, *, newer: int = 0) -> Resource:
        """Return the resource at the URL; the caller knows that the route has content."""
        resource = find_resource(self.target, newer=newer)
        if resource is None:
            raise LookupError(f"{self.target.raw} has no content")
        return resource

    def is_turn(self, case: str, *, count_heads: bool = False) -> bool:
        """Count this request, and return whether it is among the first `times` of its token (all by default)."""
        times = self.target.number("times", 0)
        if self.is_head and not count_heads:
            before = self.request_log.peek(case, self.token)
        else:
            before = self.request_log.count(case, self.token)
        return not times or before < times

    def start(self, status: int, headers: Headers) -> None:
        """Send the status and the headers."""
        self._handler.send_response(status)
        for name, value in headers:
            if value:
                self._handler.send_header(name, value)
        self._handler.end_headers()

    def answer(self, status: HTTPStatus, text: str, headers: Headers = (), kind: str = "text/plain") -> None:
        """Send a small response as a whole."""
        content = text.encode()
        length = [("Content-Length", str(len(content)))]
        kinds = [("Content-Type", f"{kind}; charset=utf-8")]
        self.start(status, [*headers, *([] if status is HTTPStatus.NOT_MODIFIED else length + kinds)])
        if status is not HTTPStatus.NOT_MODIFIED:
            self.write(content)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes, at the pace that `kbps` asks for; none if only the headers are asked for."""
        if self.is_head:
            return
        if not self._bytes_per_second:
            self._handler.wfile.write(data)
            return
        view = memoryview(data)
        for start in range(0, len(view), _CAPPED_BLOCK_BYTES):
            block = view[start : start + _CAPPED_BLOCK_BYTES]
            # The pace counts from now on if the client itself was slower.
            self._due = max(self._due, time.monotonic() - _BURST_SECONDS) + len(block) / self._bytes_per_second
            self._handler.wfile.write(block)
            time.sleep(max(self._due - time.monotonic(), 0.0))

    def write_body(self, body: Body, start: int, stop: int) -> None:
        """Send a body's bytes from `start` up to `stop`."""
        if self.is_head:
            return
        for block in body.read_blocks(start, stop):
            self.write(block)

    def close_after(self) -> None:
        """Close the connection gracefully after the response."""
        self._handler.close_connection = True

    def drop(self, how: str) -> None:
        """End the connection: `fin` after all that was sent has gone out, `rst` at once."""
        self._handler.close_connection = True
        if how == "rst":
            with suppress(OSError):
                self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)

    def write_raw(self, data: bytes) -> None:
        """Send bytes in place of a status line."""
        self._handler.wfile.write(data)

    def use_http_1_0(self) -> None:
        """Respond as an HTTP/1.0 server, whose bodies end with the connection."""
        self._handler.protocol_version = "HTTP/1.0"
        self.close_after()
