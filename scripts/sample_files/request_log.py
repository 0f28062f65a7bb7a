"""The server's log of requests by token: how often each case was requested, and with which headers."""

import threading
from collections import Counter, defaultdict, deque

_REQUESTS_KEPT = 500
_TOKENS_KEPT = 2_000

type Entry = dict[str, str | dict[str, str]]


class RequestLog:
    """Counts and requests, shared by all connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._requests: dict[str, deque[Entry]] = defaultdict(lambda: deque(maxlen=_REQUESTS_KEPT))
        self._open: Counter[str] = Counter()

    def count(self, case: str, token: str) -> int:
        """Increase the count, and return the previous one."""
        with self._lock:
            self._forget_oldest()
            before = self._counts[case, token]
            self._counts[case, token] += 1
            return before

    def peek(self, case: str, token: str) -> int:
        """Return the count without increasing it."""
        with self._lock:
            return self._counts.get((case, token), 0)

    def enter(self, token: str, limit: int) -> bool:
        """Take one of `limit` slots; return False if none is left."""
        with self._lock:
            if self._open[token] >= limit:
                return False
            self._open[token] += 1
            return True

    def leave(self, token: str) -> None:
        """Release a slot."""
        with self._lock:
            self._open[token] -= 1

    def note(self, token: str, entry: Entry) -> None:
        """Add an entry for a request."""
        with self._lock:
            self._requests[token].append(entry)

    def recall(self, token: str) -> list[Entry]:
        """Return the requests of a token, the oldest first."""
        with self._lock:
            return list(self._requests.get(token, ()))

    def _forget_oldest(self) -> None:
        while len(self._counts) > _TOKENS_KEPT:
            del self._counts[next(iter(self._counts))]
        while len(self._requests) > _TOKENS_KEPT:
            del self._requests[next(iter(self._requests))]
