"""Retries: number of attempts and waits between them."""

import asyncio
import random
from collections.abc import Callable

from csv_streamer.exceptions import CsvStreamerError, OutOfTimeError, SourceBrokeError
from csv_streamer.settings import Settings

type NoteRetry = Callable[[int, float, int, CsvStreamerError], None]
"""Told the number of the attempt that failed, the seconds until the next, the offset reached and the error."""

_MAX_WAIT_SECONDS = 30


class Attempts:
    """Waits between attempts: exponential backoff with jitter, or the server's ``Retry-After``."""

    def __init__(self, settings: Settings, note: NoteRetry, stop_at: float, patience: float | None = None) -> None:
        """``stop_at``: the event loop's time after which a try is too late; ``patience``: the longest wait, seconds."""
        self._most = settings.max_attempts
        self._base = settings.retry_base_seconds
        self._note = note
        self._stop_at = stop_at
        self._patience = patience
        self._failed = 0

    def reset(self) -> None:
        """Reset the count of failures, because bytes were received."""
        self._failed = 0

    async def wait(self, error: SourceBrokeError, offset: int) -> None:
        """Wait for the next attempt.

        Raises:
            SourceBrokeError: no attempt is left, or the wait would be longer than ``patience``.
            OutOfTimeError: the wait would outlast the invocation; it does not start, since waiting is billed.
        """
        self._failed += 1
        if self._failed >= self._most:
            reason = f"gave up after {self._failed} attempts: {error}"
            raise SourceBrokeError(reason, status=error.status) from error
        delay = min(self._base * 2 ** (self._failed - 1), _MAX_WAIT_SECONDS) * random.uniform(0.5, 1)  # noqa: S311
        delay = delay if error.retry_after is None else max(delay, error.retry_after)
        self._note(self._failed, delay, offset, error)
        if self._patience is not None and delay > self._patience:
            raise error
        if asyncio.get_running_loop().time() + delay > self._stop_at:
            raise OutOfTimeError(f"the next attempt in {delay:.0f} s would be too late: {error}")
        await asyncio.sleep(delay)
