"""Fillers of parts: in order over one connection, or by ranges over several connections."""

import asyncio
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import aiohttp

from csv_streamer.exceptions import CsvStreamerError, FileError, RangeRefusedError, SourceChangedError
from csv_streamer.http.download import Download
from csv_streamer.http.first_response import FirstResponse
from csv_streamer.s3.buffers import Buffers
from csv_streamer.s3.part_sizes import MIN_PART, Span, cut_ranges

type SendPart = Callable[[Span, bytearray], None]
"""Starts the upload of a part; the buffer now belongs to it."""
type CountBytes = Callable[[int], None]

_PATIENCE_SECONDS = 5
"""Maximum wait of one of several connections for its server; then the others take over."""


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
            raise FileError(f"longer than MAX_FILE_GB allows ({self._limit} bytes)", code="file_too_large")

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

    If the download ends early, all bytes that make a part have been sent, so that they need not be fetched again.
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
    """Fetches parts by concurrent ranges, in the order of the file.

    The first response is read until it reaches bytes that another connection has. Then it is kept in reserve: if the
    server does not serve further ranges, for any reason, it is read to the end.
    """

    def __init__(
        self, download: Download, parts: list[Span], buffers: Buffers, send: SendPart, count: CountBytes
    ) -> None:
        self._download = download
        self._parts = deque(parts)
        self._buffers = buffers
        self._send = send
        self._count = count
        self._orders: list[_Order] = []
        self._fetching: dict[int, int] = {}
        self._turn = asyncio.Lock()
        self._workers = 0
        self._reserve: FirstResponse | None = None
        self._is_refused = False

    async def run(self, connections: int, first: aiohttp.ClientResponse | None) -> None:
        """Fetch all parts over ``connections``; ``first``, if given, is a response that begins at the first part.

        Raises:
            CsvStreamerError: the first failure that the other connections cannot compensate; they are stopped.
        """
        self._connections = self._workers = connections
        self._reserve = FirstResponse(first, self._parts[0].start, self._download.chunk_size) if first else None
        keeping = asyncio.create_task(self._reserve.keep_alive(self._find_gap)) if self._reserve else None
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(connections):
                    group.create_task(self._work(number))
            self._workers = 1
            await self._work(0)  # what was given back when all others had ended
        except* Exception as errors:  # noqa: BLE001  # any failure is passed on, out of its group
            raise _first_of(errors) from None
        finally:
            if keeping:
                keeping.cancel()
                await asyncio.wait([keeping])
            if self._reserve:
                await self._reserve.close()

    async def _work(self, number: int) -> None:
        """Fetch one range after another; end early if other connections can fetch the rest."""
        while order := await self._next_order():
            has_others = self._workers > 1 or self._has_reserve()
            reserved = (number == 0 or self._workers == 1) and self._fits_reserve(order)
            patience = _PATIENCE_SECONDS if has_others and not reserved else None
            try:
                rest = await self._fetch(number, order, patience, reserved=reserved)
            finally:
                self._fetching.pop(number, None)
            if rest is None:
                continue
            self._give_back(rest)
            await self._buffers.wake()  # another may wait for a buffer, which there will not be before this is done
            if reserved:
                continue
            if self._workers > 1:
                self._workers -= 1
                return
            self._is_refused = True

    async def _fetch(self, number: int, order: _Order, patience: float | None, *, reserved: bool) -> _Order | None:
        """Fetch a range; return the rest of it if the connection is not available.

        Raises:
            CsvStreamerError: no other connection could fetch it, or the version has changed.
        """
        at = self._fetching[number] = order.start
        if reserved and self._reserve:
            chunks = self._reserve.read(order.start, order.end)
        else:
            chunks = self._download.read(order.start, order.end, None, patience)
        try:
            async with aclosing(chunks) as body:
                async for chunk in body:
                    position = at - order.part.span.start
                    memoryview(order.part.buffer)[position : position + len(chunk)] = chunk
                    at += len(chunk)
                    self._fetching[number] = at
                    order.part.missing -= len(chunk)
                    self._count(len(chunk))
        except CsvStreamerError as error:
            if isinstance(error, SourceChangedError) and not isinstance(error, RangeRefusedError):
                raise
            # The server may limit connections, or serve this file once: the connections that it serves do the rest.
            if reserved:
                self._download.note_break(error, at)
            elif patience is None:
                raise
            return _Order(order.part, at, order.end)
        if not order.part.missing:
            self._send(order.part.span, order.part.buffer)
        return None

    def _give_back(self, order: _Order) -> None:
        if order.start < order.end:
            insort(self._orders, order, key=lambda one: one.start)
        elif not order.part.missing:
            self._send(order.part.span, order.part.buffer)

    def _has_reserve(self) -> bool:
        return self._reserve is not None and self._reserve.is_open

    def _fits_reserve(self, order: _Order) -> bool:
        """Return whether to read ``order`` from the first response: it is there, or ranges are not served."""
        if self._reserve is None or not self._reserve.is_open:
            return False
        position = self._reserve.position
        return position == order.start or (self._is_refused and position < order.start)

    def _find_gap(self) -> int:
        """Return the first byte of the file that may still have to be fetched."""
        starts = [*self._fetching.values(), *(order.start for order in self._orders)]
        return min([*starts, *(part.start for part in list(self._parts)[:1])], default=0)

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
            return self._orders.pop(0) if self._orders else None


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that is not itself a group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
