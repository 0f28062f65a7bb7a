"""In-order reading of a file's parts for checksums, while they are uploaded in any order."""

import asyncio
from typing import Any

from csv_streamer.s3.part_sizes import Span

from .content import Content

_MAX_STATES = 130
"""Number of remembered states: more than the parts of one file that can be in flight to S3."""


class Inspection:
    """Gives parts to a :class:`Content` one after another, in a thread; each waits for the one before it."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._announced: dict[int, int] = {}
        self._limit: int | None = None
        self._changed = asyncio.Condition()
        self._states: dict[int, dict[str, Any] | None] = {content.size: content.save()}
        self.end = content.size
        """Up to where the file has been read."""

    def announce(self, span: Span) -> None:
        """Announce a part that will be added."""
        self._announced[span.start] = span.end

    async def add(self, span: Span, body: bytearray) -> None:
        """Hash a part after all preceding parts; return without hashing it after :meth:`stop`.

        Raises:
            FileError: the part is not what is expected of the file.
        """
        if span.end <= self.end:
            return  # an earlier invocation has read it
        async with self._changed:
            await self._changed.wait_for(lambda: self.end == span.start or self._is_beyond(span))
        if self._is_beyond(span):
            return
        await asyncio.to_thread(self._content.add, body)
        async with self._changed:
            self.end = span.end
            self._states[span.end] = self._content.save()
            if len(self._states) > _MAX_STATES:
                del self._states[next(iter(self._states))]
            self._changed.notify_all()

    def _is_beyond(self, span: Span) -> bool:
        return self._limit is not None and span.end > self._limit

    def stop(self, *, at_once: bool = False) -> None:
        """Stop waiting for missing parts: only consecutive parts are still read.

        ``at_once``: these are not read either.
        """
        limit = self.end
        while not at_once and limit in self._announced:
            limit = self._announced[limit]
        self._limit = limit if self._limit is None else min(limit, self._limit)
        self._notifying = asyncio.create_task(self._notify())

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def has_read(self, end: int) -> bool:
        """Return whether the file has been read up to ``end``."""
        return end <= self.end

    def state_at(self, end: int) -> dict[str, Any] | None:
        """Return the state after the file's first ``end`` bytes, None if it cannot be resumed."""
        return self._states.get(end)

    def finish(self) -> str:
        """Return the whole file's SHA-256, hexadecimal; see :meth:`.content.Content.finish`."""
        return self._content.finish()
