"""Time that one file has in an invocation; a file without enough of it is deferred, or fails."""

from csv_streamer.exceptions import CsvStreamerError, FileError, OutOfTimeError
from csv_streamer.schemas import Head

from .context import RunContext

_FULL_TIME_TOLERANCE_SECONDS = 10
"""A file that starts this soon counts as having had the whole invocation."""


class TimeBudget:
    """The time of one file, from its start to the invocation's end."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._began = run.clock.now

    def restart(self) -> None:
        """Count from now on: until now, the file has waited for others."""
        self._began = self._run.clock.now

    @property
    def is_whole(self) -> bool:
        """Return whether the file had the whole invocation, so that another one would not get further."""
        return self._began - self._run.clock.started < _FULL_TIME_TOLERANCE_SECONDS

    def too_late(self, reason: str) -> CsvStreamerError:
        """Return the error that defers a file, or fails it if another invocation would not get further."""
        if self._run.settings.continue_async and self.is_whole:
            return FileError(f"{reason}, and a whole invocation was not enough", code="out_of_time")
        return OutOfTimeError(reason)

    def check_start(self) -> None:
        """Check that downloads may still start.

        Raises:
            CsvStreamerError: see :meth:`too_late`.
        """
        if self._run.clock.now >= self._run.clock.stop_at:
            raise self.too_late("too little time is left to start")

    def check_fits(self, url: str, head: Head) -> None:
        """Check that a file that cannot be resumed would be finished in time, at the host's best speed so far.

        Raises:
            OutOfTimeError: it would not.
        """
        clock, speed = self._run.clock, self._run.speeds.best(url)
        can_go_on = head.resumable and self._run.settings.continue_async
        if head.length and speed and not can_go_on and head.length / speed > clock.stop_at - clock.now:
            raise OutOfTimeError(f"would take about {head.length / speed:.0f} s, more than are left")
