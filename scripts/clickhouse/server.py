"""The server: one thread a connection, a count of the queries that run, and the faults that are ordered."""

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
    """Listens on a port (0: a free one) and answers until it is shut down.

    Only `expected` are let in. With `faults`, tests may order some.
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
        """Count the block as a query that runs; raises ConnectionDropped once the server ends."""
        with self._idle:
            if self._closing:
                raise ConnectionDropped("the server ends")
            self._running += 1
        try:
            yield
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def drain(self, seconds: float) -> bool:
        """Let no more queries run, wait for those that do; tell whether all have ended."""
        with self._idle:
            self._closing = True
            return self._idle.wait_for(lambda: not self._running, seconds)

    def run_query(self, query: bytes, action: Callable[[], QueryResult]) -> QueryResult:
        """Run a query under the fault that is due for it, if any."""
        with self.count_query():
            return action() if self.faults is None else self.faults.take(query).run(action)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - a socket, or whatever the base class says
        """Close a connection; one that is to be reset must not say goodbye first."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(LINGER_ZERO)) == LINGER_ZERO:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        """Print what went wrong; a client that went away is not worth a line."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
