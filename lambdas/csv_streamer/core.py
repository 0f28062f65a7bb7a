"""Filling S3's parts with a file's bytes: in order over one connection, or by ranges over several at once."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import aiohttp

from .buffers import Buffers
from .download import Download
from .exceptions import FileError, OutOfTimeError, SourceBrokeError
from .layout import MIN_PART, Span, cut_ranges

type SendPart = Callable[[Span, bytearray], None]
"""Starts the upload of a part; the buffer now belongs to it."""
type CountBytes = Callable[[int], None]

_PATIENCE_SECONDS = 5
"""Longer than this one of several connections does not wait for its server; the others take over."""


class OrderedFiller:
    """Cuts a stream of chunks into parts, for a file that comes over one connection from start to end."""

    def __init__(
        self, buffers: Buffers, sizes: Iterator[int], send: SendPart, *, number: int, offset: int, limit: int
    ) -> None:
        """``number`` and ``offset``: the first part's; ``limit``: the most bytes that a file may have."""
        self._buffers = buffers
        self._sizes = sizes
        self._send = send
        self._number = number
        self._offset = offset
        self._limit = limit
        self._buffer: bytearray | None = None
        self._filled = 0

    async def fill(self, chunk: bytes) -> None:
        """Take the stream's next bytes; waits while all buffers are on their way to S3.

        Raises:
            FileError: the file is longer than ``limit``.
        """
        rest = memoryview(chunk)
        while rest:
            if self._buffer is None:
                self._buffer = await self._buffers.take(next(self._sizes))
            count = min(len(rest), len(self._buffer) - self._filled)
            # Through a memoryview: assigning to a slice of a bytearray copies the bytes twice.
            memoryview(self._buffer)[self._filled : self._filled + count] = rest[:count]
            self._filled += count
            rest = rest[count:]
            if self._filled == len(self._buffer):
                self.flush()
        if self._offset + self._filled > self._limit:
            raise FileError(f"longer than MAX_FILE_GB allows ({self._limit} bytes)")

    @property
    def rest(self) -> bytearray:
        """Return what has not filled a part yet, cut to its length."""
        body = self._buffer if self._buffer is not None else bytearray()
        del body[self._filled :]
        return body

    @property
    def rest_size(self) -> int:
        """Return the number of bytes that have not filled a part yet."""
        return self._filled

    def flush(self) -> None:
        """Send what is there as a part."""
        span = Span(self._number, self._offset, self._offset + self._filled)
        body = self.rest
        self._number += 1
        self._offset += self._filled
        self._buffer, self._filled = None, 0
        self._send(span, body)


async def fill_in_order(
    download: Download, first: aiohttp.ClientResponse | None, start: int, filler: OrderedFiller, count: CountBytes
) -> None:
    """Fetch a file from ``start`` to its end over one connection.

    Whatever ends this early, what is worth a part has been sent by then, so that it need not be fetched again.
    """
    try:
        async with aclosing(download.read(start, download.head.length, first)) as chunks:
            async for chunk in chunks:
                await filler.fill(chunk)
                count(len(chunk))
    except asyncio.CancelledError:
        if filler.rest_size >= MIN_PART:
            filler.flush()
        raise


@dataclass(slots=True)
class _Filling:
    """A part whose ranges are being fetched."""

    span: Span
    buffer: bytearray
    missing: int


@dataclass(frozen=True, slots=True)
class _Order:
    """A range to fetch, into the buffer of its part."""

    part: _Filling
    start: int
    end: int


class RangedFiller:
    """Fetches parts by ranges, side by side, in the order of the file."""

    def __init__(
        self, download: Download, parts: list[Span], buffers: Buffers, send: SendPart, count: CountBytes
    ) -> None:
        self._download = download
        self._parts = deque(parts)
        self._buffers = buffers
        self._send = send
        self._count = count
        self._orders: deque[_Order] = deque()
        self._turn = asyncio.Lock()
        self._workers = 0

    async def run(self, connections: int, first: aiohttp.ClientResponse | None) -> None:
        """Fetch all parts over ``connections``; ``first``, if given, is an answer that begins at the first part.

        Raises:
            CsvStreamerError: the first failure of any of them; the others are stopped.
        """
        self._connections = self._workers = connections
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(connections):
                    group.create_task(self._work(first if number == 0 else None))
            if self._orders:  # given back when the others had ended already
                self._workers = 1
                await self._work(None)
        except* Exception as errors:  # noqa: BLE001  # any failure is passed on, out of its group
            raise _first_of(errors) from None

    async def _work(self, first: aiohttp.ClientResponse | None) -> None:
        while order := await self._next_order():
            at = order.start
            patience = _PATIENCE_SECONDS if self._workers > 1 else None
            try:
                async with aclosing(self._download.read(order.start, order.end, first, patience)) as chunks:
                    first = None
                    async for chunk in chunks:
                        position = at - order.part.span.start
                        memoryview(order.part.buffer)[position : position + len(chunk)] = chunk
                        at += len(chunk)
                        order.part.missing -= len(chunk)
                        self._count(len(chunk))
            except (SourceBrokeError, OutOfTimeError):  # the latter: told to wait for longer than there is time
                if patience is None:
                    raise
                # The server may not want as many connections: those that it serves do the rest.
                self._orders.appendleft(_Order(order.part, at, order.end))
                if self._workers > 1:
                    self._workers -= 1
                    await self._buffers.wake()
                    return
                continue  # all others have gone: now with all patience
            if not order.part.missing:
                self._send(order.part.span, order.part.buffer)

    async def _next_order(self) -> _Order | None:
        async with self._turn:  # parts are taken one by one, so that a buffer is never awaited twice
            if not self._orders and self._parts:
                # The buffers may all be held by parts whose ranges are given back while this one is awaited.
                buffer = await self._buffers.take_unless(self._parts[0].size, lambda: bool(self._orders))
                if buffer is not None:
                    part = self._parts.popleft()
                    filling = _Filling(part, buffer, part.size)
                    ranges = cut_ranges(part, self._connections)
                    self._orders.extend(_Order(filling, one.start, one.end) for one in ranges)
            return self._orders.popleft() if self._orders else None


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that is not itself a group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
