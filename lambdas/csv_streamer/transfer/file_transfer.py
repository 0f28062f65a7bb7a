"""Transfer of one version of a file into one object, with concurrent downloads and uploads."""

import asyncio
from asyncio import timeout_at
from dataclasses import dataclass, replace

import aiohttp

from csv_streamer.exceptions import FileError, OutOfTimeError
from csv_streamer.http.download import Download
from csv_streamer.s3.buffers import Buffers
from csv_streamer.s3.multipart_upload import Upload
from csv_streamer.s3.part_sizes import MIN_RANGE, Span, choose_part_size, cut_known, grow_unknown
from csv_streamer.schemas import Unfinished
from csv_streamer.settings import Settings

from .content import Content
from .inspection import Inspection
from .part_fillers import OrderedFiller, RangedFiller, fill_in_order
from .part_sender import PartSender
from .progress import ProgressMeter


@dataclass(frozen=True, slots=True)
class Stored:
    """The result of a transfer."""

    parts: int
    sha256: str
    is_known: bool = False
    """Whether the bytes are those that were stored already, so that nothing was made visible."""


class Transfer:
    """Fetches with :class:`Download`, stores with :class:`Upload`; can be interrupted and resumed."""

    def __init__(
        self,
        download: Download,
        upload: Upload,
        content: Content,
        settings: Settings,
        meter: ProgressMeter,
        connections: int,
        unfinished: Unfinished | None = None,
    ) -> None:
        """``unfinished``: the state that an earlier invocation left; the mode of download stays the same."""
        length = download.head.length
        self._download = download
        self._upload = upload
        self._settings = settings
        self._meter = meter
        self._connections = connections
        self._buffers = Buffers((settings.upload_concurrency + 1) * settings.part_size)
        self._inspection = Inspection(content)
        self._sender = PartSender(upload, self._inspection, self._buffers, unfinished.read if unfinished else {})
        self._is_fetched = False
        if unfinished:
            self.part_size, self._in_order = unfinished.part_size, unfinished.in_order
        else:
            self.part_size = choose_part_size(length or 0, settings.part_size)
            self._in_order = connections == 1 or not download.head.resumable or (length or 0) <= 2 * MIN_RANGE

    async def run(
        self,
        first: aiohttp.ClientResponse | None,
        stop_at: float,
        uploads_until: float,
        known_sha256: str | None = None,
    ) -> Stored:
        """Store the whole file.

        ``first`` is the file's first response, None if an earlier invocation had it. ``stop_at`` is the event loop's
        time at which downloads stop, ``uploads_until`` the time at which waiting for S3 ends. ``known_sha256`` is the
        SHA-256 of the stored object, which need not be stored again.

        Raises:
            OutOfTimeError: one of these times was reached; the stored parts remain.
            CsvStreamerError: see :class:`Download`, :class:`Content` and :class:`Upload`.
        """
        head = self._download.head
        if head.length is not None and head.length > self._settings.max_file_size:
            reason = f"{head.length} bytes are more than MAX_FILE_GB allows ({self._settings.max_file_size})"
            raise FileError(reason, code="file_too_large")
        try:
            async with timeout_at(stop_at) as scope:
                whole = await (self._fetch_in_order(first) if self._in_order else self._fetch_ranges(first))
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise OutOfTimeError("the invocation's end came first") from error
        self._is_fetched = True
        try:
            async with asyncio.timeout_at(uploads_until) as scope:
                return await self._store(whole, known_sha256)
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
        send = self._sender.send if len(parts) > 1 else lambda _, body: whole.append(body)
        filler = RangedFiller(self._download, missing, self._buffers, send, self._meter.count)
        await filler.run(self._connections, first)
        return whole[0] if whole else None

    async def _fetch_in_order(self, first: aiohttp.ClientResponse | None) -> bytearray | None:
        """Fetch the file over one connection; return it if it is less than a part, else None."""
        number, offset, limit = len(self._upload.parts) + 1, self._upload.size, self._settings.max_file_size
        filler = OrderedFiller(
            self._buffers,
            grow_unknown(self._first_size(), self._download.head.length or limit, number, offset),
            self._sender.send,
            number=number,
            offset=offset,
            limit=limit,
        )
        await fill_in_order(self._download, first, offset, filler, self._meter.count)
        if not self._upload.parts and not self._sender.is_sending:
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

    async def _store(self, whole: bytearray | None, known_sha256: str | None) -> Stored:
        """Make the object visible if it meets the expectations."""
        if whole is not None:
            await self._inspection.add(Span(1, 0, len(whole)), whole)
        else:
            await self.wait_for_uploads()
            self._sender.check(self._meter.bytes, self._download.head.length)
        sha256 = self._inspection.finish()
        if sha256 == known_sha256:
            return Stored(0, sha256, is_known=True)
        if whole is not None:
            # One request with the body's length and CRC-32: S3 takes all of it or nothing.
            await self._upload.put_whole(whole, sha256)
            return Stored(1 if whole else 0, sha256)
        await self._upload.publish(sha256)
        return Stored(len(self._upload.parts), sha256)

    async def wait_for_uploads(self, until: float | None = None) -> None:
        """Wait for uploads in progress, at most until the event loop's time ``until``."""
        if not self._is_fetched:
            self._inspection.stop()  # what comes before some of them will not come any more
        await self._sender.wait(until)

    @property
    def resumable(self) -> bool:
        """Return whether the source can be resumed."""
        return self._download.head.resumable

    def leave(self) -> Unfinished | None:
        """Return the state from which a later invocation resumes, None if it would have to start over.

        Parts that the checksums have not seen yet are fetched again. Those that they have seen, but S3 does not have,
        too: their CRC-32 tells whether they are the same then.
        """
        if not self.resumable or self._upload.upload_id is None or self._sender.failure:
            return None
        parts, end = self._sender.list_left(in_order=self._in_order)
        content = self._inspection.state_at(end)
        if not parts or content is None:
            return None
        head = self._download.head
        if self._is_fetched:  # the length is known now, and nothing beyond it may be requested
            head = replace(head, length=self._meter.bytes)
        read = {} if self._in_order else self._sender.list_read(parts)
        return Unfinished(self._upload.upload_id, self.part_size, self._in_order, head, parts, content, read)
