"""A proxy in front of the emulator that fails requests to S3 and DynamoDB, one kind of fault at a time.

The seed decides which requests fail: the n-th request of an operation fails or does not, whatever its key and whoever
comes before it. Invocations of functions are not passed on; they are kept for whoever plays Lambda.
"""

import json
import random
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

S3_KINDS = ("500", "503", "reset", "lost", "short", "slow")
DYNAMODB_KINDS = ("throttled", "lost")
MEANINGS = {
    "500": "S3 500 InternalError",
    "503": "S3 503 SlowDown",
    "reset": "connection reset before the request",
    "lost": "connection reset instead of the answer to a request that was carried out",
    "short": "short read: half of the answer's body, then the end of the connection",
    "slow": "slow answers",
    "throttled": "DynamoDB throttling",
}
_SLOW_SECONDS = 0.4
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    """What happens to a share of a service's requests; not to more than ``row`` of one operation in a row."""

    kind: str
    service: str
    rate: float
    seed: int
    row: int = 2


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def service(self) -> str:
        """The service that it is for."""
        target = self.headers.get("x-amz-target", "")
        return "dynamodb" if target.startswith("DynamoDB") else "other" if target else "s3"

    @property
    def operation(self) -> str:
        """A name for what it asks for, without what differs from run to run."""
        if self.service != "s3":
            return self.headers["x-amz-target"].rpartition(".")[2]
        split = urlsplit(self.target)
        names = sorted(name for name, _ in parse_qsl(split.query, keep_blank_values=True) if not name.startswith("X-"))
        copies = "copy" if "x-amz-copy-source" in self.headers else ""
        return " ".join([self.method, split.path.split("/")[1], *names, copies])


@dataclass
class Plan:
    """The fault that is ordered, and what has happened."""

    fault: Fault | None = None
    injected: Counter[str] = field(default_factory=Counter)
    invocations: deque[Any] = field(default_factory=deque)
    _seen: Counter[str] = field(default_factory=Counter)
    _row: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def order(self, fault: Fault | None) -> None:
        """Have a kind of fault happen from now on, instead of any other."""
        with self._lock:
            self.fault = fault
            self.injected.clear()
            self._seen.clear()
            self._row.clear()

    def choose(self, request: Request) -> str:
        """Return what is to happen to a request, or nothing."""
        with self._lock:
            fault, operation = self.fault, request.operation
            if fault is None or fault.service != request.service:
                return ""
            self._seen[operation] += 1
            dice = random.Random(f"{fault.seed} {operation} {self._seen[operation]}")
            if dice.random() >= fault.rate or self._row[operation] >= fault.row:
                self._row[operation] = 0
                return ""
            self._row[operation] += 1
            return fault.kind

    def note(self, operation: str) -> None:
        """Count a fault that has happened."""
        with self._lock:
            self.injected[operation] += 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    plan: Plan
    upstream: tuple[str, int]

    def handle_any(self) -> None:
        """Answer one request."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self._read_body())
        if request.target.endswith("/invocations"):
            self.plan.invocations.append(json.loads(request.body or b"null"))
            self._answer(202, {}, b"")
            return
        kind = self.plan.choose(request)
        if kind in {"500", "503", "throttled", "reset"}:
            self.plan.note(request.operation)
            self._refuse(kind, request)
            return
        if kind == "slow":
            self.plan.note(request.operation)
            time.sleep(_SLOW_SECONDS)
        status, answered, body = self._pass_on(request)
        if kind == "lost" or (kind == "short" and len(body) > 1):
            self.plan.note(request.operation)
            self._break(status, answered, body if kind == "short" else b"")
            return
        self._answer(status, answered, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815 - names that http.server looks for

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _pass_on(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(*self.upstream, timeout=60)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            connection.request(request.method, request.target, request.body or None, kept)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, names, answer.read()
        finally:
            connection.close()

    def _refuse(self, kind: str, request: Request) -> None:
        if kind == "reset":
            self._break(0, {}, b"")
        elif kind == "throttled":
            self._answer(400, {"Content-Type": "application/x-amz-json-1.0"}, _throttle(request))
        else:
            code = "InternalError" if kind == "500" else "SlowDown"
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>As ordered</Message></Error>"
            self._answer(int(kind), {"Content-Type": "application/xml"}, text.encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(body))
        if status not in {204, 304}:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _break(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """End the connection: at once, or after the first half of a body."""
        self.close_connection = True
        if body:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Say nothing."""


def _throttle(request: Request) -> bytes:
    """Return the answer of a table whose capacity is used up."""
    if request.operation == "TransactWriteItems":
        reasons = [{"Code": "ThrottlingError", "Message": "As ordered"}]
        reasons += [{"Code": "None"} for _ in json.loads(request.body)["TransactItems"][1:]]
        answer = {"__type": "TransactionCanceledException", "Message": "As ordered", "CancellationReasons": reasons}
    else:
        answer = {"__type": "ProvisionedThroughputExceededException", "message": "As ordered"}
    return json.dumps(answer).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that are killed leave their connections behind."""


@dataclass(frozen=True)
class FaultProxy:
    """The proxy's URL and its controls."""

    url: str
    plan: Plan

    @contextmanager
    def failing(self, kind: str, service: str, seed: int, rate: float = 0.3) -> Iterator[Plan]:
        """Have a kind of fault happen while the block lasts; gives what counts the faults."""
        self.plan.order(Fault(kind, service, rate, seed))
        try:
            yield self.plan
        finally:
            self.plan.fault = None


@contextmanager
def run_fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Run a proxy to ``upstream`` on a free port, in threads of this process, while the block lasts."""
    plan, place = Plan(), urlsplit(upstream)
    handler = type("Handler", (_Handler,), {"plan": plan, "upstream": (place.hostname, place.port)})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield FaultProxy(f"http://127.0.0.1:{server.server_port}", plan)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
