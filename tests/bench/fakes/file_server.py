"""Serves the files of a folder as S3 objects, whole or in ranges: `python -m tests.bench.fakes.file_server FOLDER`.

The fake S3 keeps objects in memory, which is too small for a dataset of 2 GB. Prints its port. `GET /_bench/stats`
answers requests and bytes since `POST /_bench/reset`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_ADMIN = "/_bench/"


class FileStore(ThreadingHTTPServer):
    """One bucket of any name."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.requests = 0
        self.bytes = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise a body waits up to 40 ms for the headers' acknowledgement on a connection that is used again.
    disable_nagle_algorithm = True
    server: FileStore

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path.startswith(_ADMIN):
            self._answer(json.dumps({"requests": self.server.requests, "bytes": self.server.bytes}).encode())
            return
        self.server.requests += 1
        file = self.server.folder / path.lstrip("/").partition("/")[2]
        if not file.is_file():
            self._answer(b"<Error><Code>NoSuchKey</Code></Error>", HTTPStatus.NOT_FOUND)
            return
        self._send_file(file)

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def do_POST(self) -> None:
        self.server.requests = self.server.bytes = 0
        self._answer(b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def _answer(self, body: bytes, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, file: Path) -> None:
        size = file.stat().st_size
        start, end = 0, size
        match = _RANGE.fullmatch(self.headers.get("Range", ""))
        if match:
            first, last = match.groups()
            start = int(first) if first else max(0, size - int(last))
            end = min(size, int(last) + 1) if first and last else size
        self.send_response(HTTPStatus.PARTIAL_CONTENT if match else HTTPStatus.OK)
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", f'"{size:x}-{file.stat().st_mtime_ns:x}"')
        self.send_header("Last-Modified", formatdate(file.stat().st_mtime, usegmt=True))
        self.send_header("Accept-Ranges", "bytes")
        if match:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.flush()
        self.server.bytes += end - start
        with file.open("rb") as source:
            while start < end:
                start += os.sendfile(self.connection.fileno(), source.fileno(), start, end - start)


def main() -> int:
    """Serve until killed."""
    server = FileStore(Path(sys.argv[1]))
    print(server.server_address[1], flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
