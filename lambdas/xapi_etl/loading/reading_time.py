"""The time of an invocation that remains for reading objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xapi_etl.settings import Settings

OUT_OF_TIME = "the function's time limit is near"
_CONVERSION_RESERVE_MS = 3_000
"""Time reserved for converting the data that has been read, in addition to the time for starting an INSERT."""


@dataclass(frozen=True, slots=True)
class ReadingTime:
    """The time that remains for reading; after it, the gathered rows are inserted."""

    settings: Settings
    remaining_ms: Callable[[], int]

    def seconds(self) -> float:
        """Return how many seconds remain for reading."""
        return (self.remaining_ms() - self.settings.start_insert_ms - _CONVERSION_RESERVE_MS) / 1000

    def is_over(self) -> bool:
        """Return whether no time remains."""
        return self.seconds() <= 0
