"""One version of one file on its way into one object: downloads and uploads side by side, until all of it is there."""

import asyncio
from asyncio import timeout_at
from dataclasses import replace

import aiohttp

from .buffers import Buffers
from .core import OrderedFiller, RangedFiller, fill_in_order
from .download import Download
from .exceptions import FileError, OutOfTimeError, UploadGoneError
from .layout import MIN_RANGE, Span, choose_part_size, cut_known, grow_unknown
from .meter import Meter
from .schemas import Unfinished
from .settings import Settings
from .target import Upload


class Transfer:
    """Fetches with :class:`Download`, stores with :class:`Upload`; can be left unfinished and taken up again."""

    def __init__(
        self,
        download: Download,
        upload: Upload,
        settings: Settings,
        meter: Meter,
        connections: int,
        unfinished: Unfinished | None = None,
    ) -> None:
        """``unfinished``: what an earlier invocation left, whose way of fetching is kept."""
        length = download.head.length
        self._download = download
        self._upload = upload
        self._settings = settings
        self._meter = meter
        self._connections = connections
        self._buffers = Buffers((settings.upload_concurrency + 1) * settings.part_size)
        self._sending: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._is_fetched = False
        if unfinished:
            self.part_size, self._in_order = unfinished.part_size, unfinished.in_order
        else:
            self.part_size = choose_part_size(length or 0, settings.part_size)
            self._in_order = connections == 1 or not download.head.resumable or (length or 0) <= 2 * MIN_RANGE

    async def run(self, first: aiohttp.ClientResponse | None, stop_at: float, settle_until: float) -> int:
        """Store the whole file and return the number of its parts.

        ``first`` is the answer that told of the file, None where an earlier invocation had it. ``stop_at`` is the
        event loop's time at which no more is fetched, ``settle_until`` that at which S3 is no longer waited for.

        Raises:
            OutOfTimeError: one of them came first; what is stored by then stays.
            CsvStreamerError: see :class:`Download` and :class:`Upload`.
        """
        head = self._download.head
        if head.length is not None and head.length > self._settings.max_file_size:
            raise FileError(f"{head.length} bytes are more than MAX_FILE_GB allows ({self._settings.max_file_size})")
        try:
            async with timeout_at(stop_at) as scope:
                whole = await (self._fetch_in_order(first) if self._in_order else self._fetch_ranges(first))
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise OutOfTimeError("the invocation's end came first") from error
        self._is_fetched = True
        try:
            async with asyncio.timeout_at(settle_until) as scope:
                return await self._store(whole)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise OutOfTimeError("S3 did not take it before the invocation's end") from error

    async def _fetch_ranges(self, first: aiohttp.ClientResponse | None) -> bytearray | None:
        """Fetch all parts that are missing; return the file if it is a single part, else None."""
        parts = cut_known(self._download.head.length or 0, self.part_size)
        missing = [part for part in parts if part.number not in self._upload.parts]
        whole: list[bytearray] = []
        if len(parts) > 1:
            self._upload.open_early()
        send = self._send if len(parts) > 1 else lambda _, body: whole.append(body)
        filler = RangedFiller(self._download, missing, self._buffers, send, self._meter.count)
        await filler.run(self._connections, first)
        return whole[0] if whole else None

    async def _fetch_in_order(self, first: aiohttp.ClientResponse | None) -> bytearray | None:
        """Fetch the file over one connection; return it if it is less than a part, else None."""
        number, offset, limit = len(self._upload.parts) + 1, self._upload.size, self._settings.max_file_size
        filler = OrderedFiller(
            self._buffers,
            grow_unknown(self._first_size(), self._download.head.length or limit, number, offset),
            self._send,
            number=number,
            offset=offset,
            limit=limit,
        )
        await fill_in_order(self._download, first, offset, filler, self._meter.count)
        if not self._upload.parts and not self._sending:
            return filler.rest
        if filler.rest_size:
            filler.flush()
        return None

    def _first_size(self) -> int:
        """Return a part's size; a file known to be less than one needs no more memory than its bytes.

        And one more: a buffer that is full would be sent as a part.
        """
        length = self._download.head.length
        return self.part_size if length is None else min(self.part_size, length + 1)

    def _send(self, span: Span, body: bytearray) -> None:
        task = asyncio.create_task(self._put(span, body))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _put(self, span: Span, body: bytearray) -> None:
        try:
            await self._upload.put_part(span, body)
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends the file's transfer
            self._failure = self._failure or error
            await self._buffers.fail(error)
        await self._buffers.give_back(body)

    async def _store(self, whole: bytearray | None) -> int:
        """Make the object visible; return the number of its parts."""
        if whole is not None:
            # One request with the body's length and CRC-32: S3 takes all of it or nothing.
            await self._upload.put_whole(whole)
            return 1 if whole else 0
        await self.settle()
        if self._failure:
            raise self._failure
        if self._upload.size != self._meter.bytes:
            raise FileError(f"{self._meter.bytes} bytes were received, but the parts have {self._upload.size}")
        length = self._download.head.length
        if length not in {None, self._upload.size}:
            raise FileError(f"the server said {length} bytes, but the parts have {self._upload.size}")
        try:
            await self._upload.complete()
        except UploadGoneError:
            # Or it was completed by a request whose answer was lost, and repeated by the client.
            if not await self._upload.is_stored(self._meter.bytes):
                raise
        else:
            if not await self._upload.is_stored(self._meter.bytes):
                raise FileError("S3 completed the upload but does not show the object")
        return len(self._upload.parts)

    async def settle(self, until: float | None = None) -> None:
        """Wait for the uploads under way, at most to the event loop's time ``until``."""
        if self._sending:
            timeout = None if until is None else max(0.0, until - asyncio.get_running_loop().time())
            await asyncio.wait(self._sending, timeout=timeout)

    @property
    def resumable(self) -> bool:
        """Whether the source can go on where it was left."""
        return self._download.head.resumable

    def leave(self) -> Unfinished | None:
        """Return what a later invocation needs to go on, None if it would have to start over."""
        if not self.resumable or not self._upload.parts or self._upload.upload_id is None or self._failure:
            return None
        parts = [self._upload.parts[number] for number in sorted(self._upload.parts)]
        if self._in_order:  # what comes after a part that is not there is fetched again
            parts = [part for number, part in enumerate(parts, 1) if part.number == number]
        head = self._download.head
        if self._is_fetched:  # the length is known now, and nothing beyond it must be asked for
            head = replace(head, length=self._meter.bytes)
        return Unfinished(self._upload.upload_id, self.part_size, self._in_order, head, parts)
