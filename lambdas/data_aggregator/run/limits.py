"""The limits of an invocation: the function's time, and the space in its temporary folder."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from data_aggregator.exceptions import DiskLowError, OutOfTimeError
from data_aggregator.reading.source_reader import BLOCK_SIZE
from data_aggregator.settings import Settings

SPOOL_MEMORY = 8 * 1024 * 1024
"""Size up to which a bundle's file stays in memory, bytes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Time and disk space that have to be left for finishing a bundle."""

    settings: Settings
    remaining_ms: Callable[[], int]

    def is_time_up(self) -> bool:
        """Return whether the remaining time is needed for finishing the current bundle."""
        return self.remaining_ms() < self.settings.stop_before_seconds * 1000

    def check_time(self) -> None:
        """Check the time.

        Raises:
            OutOfTimeError: the time is up.
        """
        if self.is_time_up():
            raise OutOfTimeError("the function's time limit is near")

    def check(self, file: BinaryIO) -> None:
        """Check the time and, if the next block of a bundle's file goes to disk, the free space.

        Raises:
            OutOfTimeError: the time is up.
            DiskLowError: less than the reserve is free.
        """
        self.check_time()
        if file.tell() + BLOCK_SIZE > SPOOL_MEMORY:
            free = shutil.disk_usage(tempfile.gettempdir()).free
            if free < self.settings.disk_reserve:
                raise DiskLowError(f"only {free} bytes are free in the temporary folder")
