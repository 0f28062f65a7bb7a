"""Injected faults: failures of a server or its network, as tests need them.

PUT /faults with a JSON object adds one, GET /faults returns the pending and the past ones, DELETE removes all.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from typing import Any

from clickhouse.engine import QueryResult

KINDS = {
    "delay": "waits `seconds` before the query runs",
    "delay_after": "waits `seconds` before the response is sent; the query has run",
    "drop": "resets the connection; the query does not run",
    "drop_after": "resets the connection; the query has run",
    "answer": "responds with `status` (and `code`); the query does not run",
    "answer_after": "responds with `status` (and `code`); the query has run",
    "cut": "sends the first half of the response body and resets the connection",
}


class ConnectionDropped(ConnectionError):  # noqa: N818 - a requested end, not an error
    """The connection must be reset."""


class InjectedResponse(Exception):  # noqa: N818 - a response, not an error
    """An injected response: HTTP status, ClickHouse's code or 0, body."""

    def __init__(self, fault: "Fault") -> None:
        super().__init__(fault.kind)
        self.status = HTTPStatus(fault.status)
        self.code = fault.code
        name = {252: "TOO_MANY_PARTS", 202: "TOO_MANY_SIMULTANEOUS_QUERIES", 241: "MEMORY_LIMIT_EXCEEDED"}
        exception = f"Code: {self.code}. DB::Exception: As ordered. ({name.get(self.code, 'ORDERED')})\n"
        self.text = exception if self.code else f"{self.status.phrase}\n"


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, and the number of queries (`times`) matching `match` that it hits, after `skip` others."""

    kind: str
    times: int = 1
    skip: int = 0
    match: str = r"^\s*INSERT"
    seconds: float = 0.0
    status: int = 503
    code: int = 0

    def run(self, action: Callable[[], QueryResult]) -> QueryResult:
        """Run a query under this fault; raises ConnectionDropped or InjectedResponse, or the query's error."""
        if self.kind == "delay":
            time.sleep(self.seconds)
        self._interrupt("drop", "answer")
        result = action()
        if self.kind == "cut":
            return replace(result, is_cut=True)
        if self.kind == "delay_after":
            time.sleep(self.seconds)
        self._interrupt("drop_after", "answer_after")
        return result

    def _interrupt(self, drop: str, injected: str) -> None:
        if self.kind == drop:
            raise ConnectionDropped(self.kind)
        if self.kind == injected:
            raise InjectedResponse(self)


NO_FAULT = Fault("none")


def read_fault(body: bytes) -> Fault:
    """Return the fault that a JSON object describes; raises ValueError with the problem."""
    given: Any = json.loads(body)
    if not isinstance(given, dict) or given.get("kind") not in KINDS:
        raise ValueError(f"expected an object with `kind`, one of {', '.join(KINDS)}")
    unknown = given.keys() - Fault.__dataclass_fields__.keys()
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    fault = Fault(**given)
    re.compile(fault.match)
    HTTPStatus(fault.status)
    return fault


@dataclass
class FaultQueue:
    """Pending faults, and how often each kind has happened; thread-safe."""

    _faults: list[Fault] = field(default_factory=list)
    _happened: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Add a fault at the end."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults and counts."""
        with self._lock:
            self._faults.clear()
            self._happened.clear()

    def take(self, query: bytes) -> Fault:
        """Return the first pending fault that matches a query, and count it; NO_FAULT if none does."""
        text = query[:10_000].decode(errors="replace")
        with self._lock:
            for index, fault in enumerate(self._faults):
                if not fault.times or not re.search(fault.match, text, re.IGNORECASE):
                    continue
                if fault.skip:
                    self._faults[index] = replace(fault, skip=fault.skip - 1)
                    continue
                self._faults[index] = replace(fault, times=fault.times - 1)
                self._happened[fault.kind] = self._happened.get(fault.kind, 0) + 1
                return fault
        return NO_FAULT

    def describe(self) -> str:
        """Return the JSON of GET /faults."""
        with self._lock:
            return json.dumps({"left": [asdict(fault) for fault in self._faults], "happened": self._happened})
