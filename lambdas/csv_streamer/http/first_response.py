"""The response to a file's first request, kept open while further connections fetch ranges of the file."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import aiohttp

from csv_streamer.exceptions import CsvStreamerError, SourceBrokeError

from .source import read_body

_KEEP_ALIVE_SECONDS = 15
"""Servers close a connection that reads nothing for a minute (nginx: ``send_timeout``)."""


class FirstResponse:
    """Reads one response and skips the bytes that other connections have fetched."""

    def __init__(self, response: aiohttp.ClientResponse, position: int, chunk_size: int) -> None:
        """``position``: the offset in the file at which the response begins."""
        self._response = response
        self._body = read_body(response, chunk_size)
        self._rest = b""
        self._turn = asyncio.Lock()
        self.position = position
        self.is_open = True

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes]:
        """Yield bytes ``start`` … ``end`` - 1 of the file; ``start`` is not before :attr:`position`.

        Raises:
            CsvStreamerError: the connection broke, or the response ended; it is closed then.
        """
        while self.position < end:
            chunk = await self._take(lambda: end if self.position >= start else start)
            if self.position > start:
                yield chunk

    async def _take(self, until: Callable[[], int]) -> bytes:
        """Return the next bytes, none beyond the offset that ``until`` returns."""
        async with self._turn:
            if not self._rest:
                try:
                    self._rest = await anext(self._body)
                except StopAsyncIteration:
                    await self.close()
                    raise SourceBrokeError("the connection ended early") from None
                except CsvStreamerError:
                    await self.close()
                    raise
            count = max(0, min(len(self._rest), until() - self.position))
            chunk, self._rest = self._rest[:count], self._rest[count:]
            self.position += count
            return chunk

    async def keep_alive(self, find_gap: Callable[[], int]) -> None:
        """Read a few bytes that others have fetched already at intervals, until cancelled.

        ``find_gap``: returns the first byte that may still have to be read here.
        """
        while self.is_open:
            await asyncio.sleep(_KEEP_ALIVE_SECONDS)
            if self.position < find_gap():
                try:
                    await self._take(find_gap)
                except CsvStreamerError:
                    return

    async def close(self) -> None:
        """Close the connection."""
        if self.is_open:
            self.is_open = False
            await self._body.aclose()
            self._response.close()
