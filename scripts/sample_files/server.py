"""The server: routes, and one thread a connection."""

import json
import socket
import sys
import time
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sample_files.catalogue import DEMO_FILES, HOSTILE, expected_sha256, find_resource
from sample_files.exchange import LINGER_ZERO, Exchange
from sample_files.hostile import CASES
from sample_files.request_log import Entry, RequestLog
from sample_files.responses import serve
from sample_files.target import BYTES_PER_MB, QueryError, Target, parse_target

_IDLE_SECONDS = 120
_SLOW_HEADERS_SECONDS = 3.0
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sample files</title></head>
<body><h1>Sample files</h1>
<table><tr><th>file</th><th>MB</th></tr>
{rows}
</table>
<p>Any other size: <code>?mb=N</code> or <code>?bytes=N</code>.</p></body></html>
"""


class SampleServer(ThreadingHTTPServer):
    """Listens on a port (0: a free one) and answers until it is shut down."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str, port: int, *, verbose: bool = False) -> None:
        self.request_log = RequestLog()
        self.verbose = verbose
        super().__init__((host, port), Handler)

    @property
    def address(self) -> str:
        """Return the base URL."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - a socket, or whatever the base class says
        """Close a connection; one that is to be reset must not be shut down first."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(LINGER_ZERO)) == LINGER_ZERO:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        """Print an error, except for clients that disconnected."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "SampleFiles/1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    server: SampleServer

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer a HEAD."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print a line for each request, if asked to."""
        if self.server.verbose:
            super().log_message(format, *args)

    def _answer(self) -> None:
        target = parse_target(self.path)
        try:
            exchange = Exchange(self, target, self.server.request_log)
            if target.text("token"):
                entry: Entry = {"method": self.command, "path": self.path, "headers": dict(self.headers.items())}
                self.server.request_log.note(target.text("token"), entry)
            time.sleep(target.seconds("delay", _SLOW_HEADERS_SECONDS if "slow-headers" in target.path else 0.0))
            route(exchange)
        except QueryError as error:
            Exchange(self, parse_target("/"), self.server.request_log).answer(HTTPStatus.BAD_REQUEST, f"{error}\n")


def route(exchange: Exchange) -> None:
    """Answer a request by its path; raises QueryError before anything is sent."""
    target = exchange.target
    match target.path:
        case ():
            exchange.answer(HTTPStatus.OK, _make_page(), kind="text/html")
        case ("health",):
            exchange.answer(HTTPStatus.OK, "ok\n")
        case ("requests", token):
            text = json.dumps(exchange.request_log.recall(token), indent=1) + "\n"
            exchange.answer(HTTPStatus.OK, text, kind="application/json")
        case ("sha256", *_):
            exchange.answer(HTTPStatus.OK, expected_sha256(target.raw.removeprefix("/sha256")) + "\n")
        case (str(first), str(case), *_) if first == HOSTILE and case in CASES:
            CASES[case](exchange)
        case _:
            _serve_file(exchange, target)


def _serve_file(exchange: Exchange, target: Target) -> None:
    resource = find_resource(target) if target.path[0] != HOSTILE else None
    if resource is None:
        exchange.answer(HTTPStatus.NOT_FOUND, "there is nothing here; / lists the files\n")
    else:
        serve(exchange, resource)


def _make_page() -> str:
    rows = [
        f'<tr><td><a href="/files/{escape(name)}.csv">{escape(name)}.csv</a></td><td>{size / BYTES_PER_MB:g}</td></tr>'
        for name, size in DEMO_FILES.items()
    ]
    return _PAGE.format(rows="\n".join(rows))
