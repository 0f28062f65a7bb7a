"""The server: one thread for each connection, a count of running queries, and injected faults."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

from clickhouse.engine import Engine, QueryResult
from clickhouse.faults import ConnectionDropped, FaultQueue
from clickhouse.handler import LINGER_ZERO, Handler
from clickhouse.request import Credentials


class ClickHouseServer(ThreadingHTTPServer):
    """Listens on a port (0: a free one) and serves until it is shut down.

    Only the credentials `expected` are accepted. With `faults`, tests can inject faults.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str, port: int, engine: Engine, expected: Credentials, faults: FaultQueue | None) -> None:
        self.engine = engine
        self.expected = expected
        self.faults = faults
        self._running = 0
        self._closing = False
        self._idle = threading.Condition()
        super().__init__((host, port), Handler)
        self.hosts = {"localhost", "127.0.0.1", "[::1]", host}

    @property
    def address(self) -> str:
        """Return the base URL."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    @contextmanager
    def count_query(self) -> Iterator[None]:
        """Count the block as a running query; raises ConnectionDropped once the server shuts down."""
        with self._idle:
            if self._closing:
                raise ConnectionDropped("the server shuts down")
            self._running += 1
        try:
            yield
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def drain(self, seconds: float) -> bool:
        """Accept no more queries and wait for the running ones; return whether all have ended."""
        with self._idle:
            self._closing = True
            return self._idle.wait_for(lambda: not self._running, seconds)

    def run_query(self, query: bytes, action: Callable[[], QueryResult]) -> QueryResult:
        """Run a query under its pending fault, if any."""
        with self.count_query():
            return action() if self.faults is None else self.faults.take(query).run(action)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - the base class's types
        """Close a connection; one that is to be reset must not be shut down first."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(LINGER_ZERO)) == LINGER_ZERO:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        """Print an error, unless the client has disconnected."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
