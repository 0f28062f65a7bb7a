"""Progress of a file, counted and logged at intervals."""

import time

from aws_lambda_powertools import Logger

_MEGABIT = 1_000_000 / 8


class ProgressMeter:
    """Counts one file's bytes as they arrive and logs ``file_progress``."""

    def __init__(self, logger: Logger, key: str, expected: int | None, every_seconds: float, done: int = 0) -> None:
        """``done``: bytes that earlier invocations have stored."""
        self._logger = logger
        self._key = key
        self._expected = expected
        self._every = every_seconds
        self._started = self._logged = time.monotonic()
        self._before = done
        self.bytes = done

    def count(self, size: int) -> None:
        """Count ``size`` bytes that have just arrived."""
        self.bytes += size
        now = time.monotonic()
        if now - self._logged >= self._every:
            self._logged = now
            self.log()

    def log(self) -> None:
        """Log ``file_progress``."""
        fields: dict[str, object] = {"s3_key": self._key, "bytes": self.bytes, "expected": self._expected}
        if self._expected:
            fields["percent"] = round(100 * self.bytes / self._expected, 1)
        self._logger.info("file_progress", extra=fields)

    @property
    def received(self) -> int:
        """Return the bytes that this invocation received."""
        return self.bytes - self._before

    @property
    def seconds(self) -> float:
        """Return the seconds since the transfer started."""
        return time.monotonic() - self._started

    @property
    def bytes_per_second(self) -> float:
        """Return this invocation's speed."""
        return self.received / max(self.seconds, 0.001)

    @property
    def megabits_per_second(self) -> float:
        """Return this invocation's speed in Mbit/s."""
        return round(self.bytes_per_second / _MEGABIT, 2)
