"""Download of a file as one stream or as ranges; each resumes where its connection broke."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from http import HTTPStatus

import aiohttp

from csv_streamer.exceptions import CsvStreamerError, RangeRefusedError, SourceBrokeError, SourceChangedError
from csv_streamer.schemas import Head
from csv_streamer.settings import Settings

from .retries import Attempts, NoteRetry
from .source import Source, check_range, read_body, read_head


class Download:
    """One version of a file, as ``head`` tells it from others."""

    def __init__(self, source: Source, head: Head, settings: Settings, note_retry: NoteRetry, stop_at: float) -> None:
        self._source = source
        self._settings = settings
        self._note_retry = note_retry
        self._stop_at = stop_at
        self.head = head

    @property
    def chunk_size(self) -> int:
        """Return the maximum size of a read, bytes."""
        return self._settings.chunk_size

    def note_break(self, error: CsvStreamerError, offset: int) -> None:
        """Log a broken connection whose remaining bytes another one fetches."""
        self._note_retry(1, 0, offset, error)

    async def read(
        self,
        start: int,
        end: int | None,
        first: aiohttp.ClientResponse | None = None,
        patience: float | None = None,
    ) -> AsyncGenerator[bytes]:
        """Yield bytes ``start`` … ``end`` - 1, or to the file's end if its length is unknown.

        ``first`` is an open response that begins at ``start``; it is closed here. ``patience`` is the maximum wait
        between two attempts, seconds; with it, the call does not wait for a free connection of the host either.

        Raises:
            SourceBrokeError: ``MAX_ATTEMPTS`` consecutive attempts failed, or the wait would exceed ``patience``.
            SourceChangedError: the rest of this version is not available.
            HostBusyError: the host's connections are all in use.
            OutOfTimeError: the next attempt would start after ``stop_at``.
            FileError: the server refuses the request.
        """
        attempts = Attempts(self._settings, self._note_retry, self._stop_at, patience)
        offset = start
        if first is None and offset == end:
            return  # an earlier invocation has it all
        while True:
            try:
                async with AsyncExitStack() as stack:
                    if first is None:
                        response, end = await self._request(stack, offset, end, wait=patience is None)
                    else:
                        response, first = first, None
                        stack.callback(response.close)
                    body = await stack.enter_async_context(aclosing(read_body(response, self._settings.chunk_size)))
                    async for chunk in body:
                        wanted = chunk if end is None else chunk[: end - offset]
                        offset += len(wanted)
                        attempts.reset()
                        yield wanted
                        if offset == end:
                            return
                if end is None or offset == end:
                    return  # had the message been cut off, aiohttp would have said so
                problem = SourceBrokeError(f"the connection ended {end - offset} bytes early")
            except SourceBrokeError as error:
                problem = error
            self._source.forget_redirect()
            try:
                await attempts.wait(problem, offset)
            except SourceBrokeError as error:
                if problem.status is None or offset == 0:
                    raise
                raise RangeRefusedError(f"the server refuses a range of the file: {error}") from error

    async def _request(
        self, stack: AsyncExitStack, offset: int, end: int | None, *, wait: bool
    ) -> tuple[aiohttp.ClientResponse, int | None]:
        """Request the file from ``offset`` on; return the response, and the file's end if it is known now."""
        if offset == 0 and end in {None, self.head.length}:
            response = await stack.enter_async_context(self._source.get({}, wait=wait))
            if response.status != HTTPStatus.OK or not self._is_same(read_head(response)):
                raise SourceChangedError("the file changed while it was fetched")
            return response, end
        strong = self.head.validators.strong
        if not self.head.resumable or strong is None:
            raise SourceChangedError(f"the connection broke at byte {offset}, and the server cannot continue there")
        last = "" if end is None else end - 1
        conditions = {"Range": f"bytes={offset}-{last}", "If-Range": strong}
        response = await stack.enter_async_context(self._source.get(conditions, wait=wait))
        length = check_range(response, self.head, offset)
        return response, length if end is None else end

    def _is_same(self, head: Head) -> bool:
        # An earlier invocation may have counted a length that the server never tells; the validator is strong then.
        lengths = {self.head.length, None} if self.head.resumable else {self.head.length}
        return head.validators == self.head.validators and head.length in lengths
