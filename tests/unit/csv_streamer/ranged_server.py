"""A server of one file that serves ranges, and refuses requests as a test says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random


class RangedServer(ThreadingHTTPServer):
    """Serves ``body`` with a strong ETag; ``refuse`` returns a status to refuse a request with, or None."""

    daemon_threads = True

    def __init__(self, size: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = Random(size).randbytes(size)
        self.etag = '"one"'
        self.refuse: Callable[[int, bool, int], int | None] = lambda number, is_range, open_now: None
        self.redirect: str | None = None
        """Where ``/a.csv`` leads."""
        self.raw: bytes | None = None
        """Sent in place of an answer."""
        self.pause = 0.0
        self.requests: list[dict[str, str]] = []
        self.open = 0
        self.most = 0
        self.lock = threading.Lock()
        self.proceed = threading.Event()
        self.proceed.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/a.csv"

    def handle_error(self, *_: object) -> None:
        """Clients hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RangedServer

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            server.requests.append(dict(self.headers))
            number = len(server.requests)
            status = server.refuse(number, "Range" in self.headers, server.open)
            if status is None:
                server.open += 1
                server.most = max(server.most, server.open)
        if server.raw is not None:
            self.wfile.write(server.raw)
            self.close_connection = True
            return
        if server.redirect and self.path == "/a.csv":
            status = 302
        elif self.headers.get("If-None-Match") == server.etag:
            status = 304
        if status is not None:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", server.redirect or "")
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
            return
        try:
            self._send()
        finally:
            with server.lock:
                server.open -= 1

    def _send(self) -> None:
        body, whole = self.server.body, len(self.server.body)
        start, end = 0, whole
        if asked := self.headers.get("Range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) + 1 if last else whole
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{whole}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", self.server.etag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "text/csv")
        self.end_headers()
        for at in range(start, end, 16384):
            self.server.proceed.wait(5)
            self.wfile.write(body[at : min(at + 16384, end)])
            self.wfile.flush()
            threading.Event().wait(self.server.pause)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def ranged_server(size: int) -> Iterator[RangedServer]:
    server = RangedServer(size)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.proceed.set()
        server.shutdown()
        server.server_close()
        thread.join()
