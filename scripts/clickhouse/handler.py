"""ClickHouse's HTTP interface: the request handler of one connection."""

from __future__ import annotations

import socket
import struct
import uuid
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Protocol

from clickhouse.bodies import compress_gzip, find_compression, read_blocks
from clickhouse.engine import Engine, QueryResult
from clickhouse.errors import ClickHouseError, make_error
from clickhouse.faults import ConnectionDropped, FaultQueue, InjectedResponse, read_fault
from clickhouse.query import FormattedResult, execute_request
from clickhouse.request import Credentials, Request, read_request

LINGER_ZERO = struct.pack("ii", 1, 0)
"""The socket option with which closing resets the connection."""
_IDLE_SECONDS = 120
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "RowBinary": "application/octet-stream",
}
_OK = "Ok.\n"


class QueryServer(Protocol):
    """The parts of the server that a handler needs."""

    engine: Engine
    expected: Credentials
    faults: FaultQueue | None
    hosts: set[str]

    def run_query(self, query: bytes, action: Callable[[], QueryResult]) -> QueryResult:
        """Run a query under its pending fault, if any."""


class Handler(BaseHTTPRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "SluiceClickHouse/1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    server: QueryServer  # type: ignore[assignment]  # the base class's is any server

    def do_GET(self) -> None:
        """Respond to a read-only query or a health check."""
        self._respond()

    def do_HEAD(self) -> None:
        """Respond as GET does, without the body."""
        self._respond()

    def do_POST(self) -> None:
        """Respond to a query."""
        self._respond()

    def do_PUT(self) -> None:
        """Add a fault; on other paths, run a query."""
        self._respond()

    def do_DELETE(self) -> None:
        """Remove the faults."""
        self._respond()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing: requests are not logged."""

    def _respond(self) -> None:
        blocks = read_blocks(self.rfile, self.headers)
        try:
            self._route(blocks)
        except ConnectionDropped:
            self._reset()
        except InjectedResponse as injected:
            self._drain_body(blocks)
            self._send_error(injected.status, injected.code, injected.text)
        except ClickHouseError as error:
            self._drain_body(blocks)
            text = str(error) if "(version " in str(error) else f"{error} (version {self.server.engine.version})"
            self._send_error(error.status, error.code, text + "\n")

    def _route(self, blocks: Iterator[bytes]) -> None:
        self._check_origin()
        request = read_request(self.path, self.headers, is_get=self.command in {"GET", "HEAD"})
        match request.path:
            case "/ping" | "/replicas_status":
                self._send_text(HTTPStatus.OK, _OK)
            case "/faults" if self.server.faults is not None:
                self._handle_faults(self.server.faults, b"".join(blocks))
            case "/" if not request.query and self.command in {"GET", "HEAD"}:
                self._send_text(HTTPStatus.OK, _OK)
            case "/":
                self._respond_to_query(request, blocks)
            case path:
                self._drain_body(blocks)
                self._send_text(HTTPStatus.NOT_FOUND, f"There is no handle {path}\n")

    def _check_origin(self) -> None:
        """Raise ClickHouseError for a web page's request, because the engine can read and write this user's files."""
        host = self.headers.get("Host", "").rpartition(":")
        name = host[0] if host[1] and host[2].isdecimal() else "".join(host)
        if "Origin" in self.headers or name not in self.server.hosts:
            raise make_error(497, "ACCESS_DENIED", "The offline ClickHouse accepts local programs only")

    def _respond_to_query(self, request: Request, blocks: Iterator[bytes]) -> None:
        if request.credentials != self.server.expected:
            reason = (
                f"{request.credentials.user}: Authentication failed: password is incorrect, or there is no such user"
            )
            raise make_error(516, "AUTHENTICATION_FAILED", reason)
        compression = find_compression(self.headers)
        if "multipart/form-data" in self.headers.get("Content-Type", ""):
            raise make_error(48, "NOT_IMPLEMENTED", "The offline ClickHouse does not support external data")
        result = execute_request(self.server.engine, request, blocks, compression, self.server.run_query)
        self._send_result(request, result)

    def _handle_faults(self, faults: FaultQueue, body: bytes) -> None:
        try:
            if self.command == "PUT":
                faults.add(read_fault(body))
            elif self.command == "DELETE":
                faults.clear()
        except (ValueError, TypeError) as error:
            self._send_text(HTTPStatus.BAD_REQUEST, f"{error}\n")
        else:
            self._send_text(HTTPStatus.OK, faults.describe() + "\n")

    def _send_result(self, request: Request, formatted: FormattedResult) -> None:
        content = formatted.result.content
        headers = {
            "Content-Type": _CONTENT_TYPES.get(formatted.format, "text/plain; charset=UTF-8"),
            "X-ClickHouse-Query-Id": request.query_id or str(uuid.uuid4()),
            "X-ClickHouse-Server-Display-Name": "sluice",
            "X-ClickHouse-Timezone": request.conditions.settings.get("session_timezone") or "UTC",
            "X-ClickHouse-Format": formatted.format,
            "X-ClickHouse-Summary": formatted.result.summary,
        }
        if content and request.wants_compression and "gzip" in self.headers.get("Accept-Encoding", ""):
            content = compress_gzip(content)
            headers["Content-Encoding"] = "gzip"
        self._send(HTTPStatus.OK, headers, content, is_cut=formatted.result.is_cut)

    def _send_text(self, status: HTTPStatus, text: str) -> None:
        self._send(status, {"Content-Type": "text/plain; charset=UTF-8"}, text.encode())

    def _send_error(self, status: HTTPStatus, code: int, text: str) -> None:
        headers = {"Content-Type": "text/plain; charset=UTF-8", "X-ClickHouse-Server-Display-Name": "sluice"}
        if code:
            headers["X-ClickHouse-Exception-Code"] = str(code)
        self._send(status, headers, text.encode())

    def _send(self, status: HTTPStatus, headers: dict[str, str], content: bytes, *, is_cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if is_cut else content)
        if is_cut:
            raise ConnectionDropped("cut")

    def _drain_body(self, blocks: Iterator[bytes]) -> None:
        """Read the rest of a body, so that the client reads the response and the connection can be reused."""
        for _ in blocks:
            pass

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.close_connection = True
