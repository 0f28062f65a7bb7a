"""Connection limits of hosts: servers refuse or drop clients that open too many."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from yarl import URL

from csv_streamer.exceptions import HostBusyError


class HostConnections:
    """Counts open connections by host and port, at most ``limit`` for each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._learned: dict[str, int] = {}
        self._open: Counter[str] = Counter()
        self._claimed: set[str] = set()
        self._changed = asyncio.Event()

    @staticmethod
    def name(url: URL) -> str:
        """Return the name under which the connections of a URL's host are counted."""
        return f"{url.raw_host}:{url.port}"

    def count(self, host: str) -> int:
        """Return the number of open connections to a host."""
        return self._open[host]

    async def take(self, host: str, *, wait: bool, alone: bool = False) -> None:
        """Acquire a connection slot for ``host``; wait until one is free.

        ``alone``: the caller is inside :meth:`alone` for this host.

        Raises:
            HostBusyError: no slot is free, and ``wait`` is false.
        """
        if not wait and not self._has_room(host):
            raise HostBusyError(f"{host} has as many connections as it may have")
        await self._wait(lambda: self._has_room(host) or (alone and not self._open[host]))
        self._open[host] += 1

    def _has_room(self, host: str) -> bool:
        return host not in self._claimed and self._open[host] < self._learned.get(host, self._limit)

    def give_back(self, host: str) -> None:
        """Count one connection to ``host`` less."""
        self._open[host] -= 1
        self._notify()

    @asynccontextmanager
    async def alone(self, host: str) -> AsyncIterator[None]:
        """Wait until ``host`` has no connection, and let nobody else open one inside the block."""
        await self._wait(lambda: host not in self._claimed)
        self._claimed.add(host)
        try:
            await self._wait(lambda: not self._open[host])
            yield
        finally:
            self._claimed.discard(host)
            self._notify()

    def learn(self, host: str, limit: int) -> None:
        """Note that ``host`` serves no more than ``limit`` connections at once."""
        self._learned[host] = max(1, min(limit, self._learned.get(host, self._limit)))

    async def _wait(self, is_true: Callable[[], bool]) -> None:
        while not is_true():
            await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
