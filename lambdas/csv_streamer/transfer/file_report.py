"""Report of one file: its log events, and the outcome that the invocation gets."""

from csv_streamer.inputs.parameters import describe_url
from csv_streamer.s3.history import StoredObject
from csv_streamer.schemas import FileResult, Status, Task

from .context import Outcome, RunContext
from .progress import ProgressMeter


class FileReport:
    """Logs what happens to one file under its URL and key, and makes its outcome."""

    def __init__(self, run: RunContext, task: Task) -> None:
        self._run = run
        self._source_url = task.entry.url
        self.url = describe_url(task.entry.url)
        self.key = task.key
        """The object's key, None until it is chosen."""

    def note_start(self, expected: int | None, done: int) -> None:
        """Log that a download starts; ``done``: bytes stored by earlier invocations."""
        fields = {"url": self.url, "s3_key": self.key, "expected": expected, "bytes": done}
        self._run.logger.info("file_download_start", extra=fields)

    def note_retry(self, attempt: int, delay: float, offset: int, error: Exception) -> None:
        """Log a failed attempt, see :data:`csv_streamer.http.retries.NoteRetry`."""
        fields = {"url": self.url, "s3_key": self.key, "attempt": attempt, "offset": offset, "error": str(error)}
        self._run.logger.warning("file_retry", extra={**fields, "retry_in_seconds": round(delay, 2)})

    def succeed(self, size: int, parts: int, sha256: str, meter: ProgressMeter, warnings: tuple[str, ...]) -> Outcome:
        """Return the outcome of a stored file."""
        fields = {
            "url": self.url,
            "s3_key": self.key,
            "bytes": size,
            "parts": parts,
            "sha256": sha256,
            "elapsed_ms": round(meter.seconds * 1000),
            "avg_mbps": meter.megabits_per_second,
        }
        self._run.speeds.note(self._source_url, meter.received, meter.bytes_per_second)
        for warning in warnings:
            extra = {"url": self.url, "s3_key": self.key, "warning": warning}
            self._run.logger.warning("file_warning", extra=extra)
        self._run.logger.info("file_complete" if size else "file_complete_zero", extra=fields)
        return Outcome(FileResult(self.url, "success", self.key, size, parts, sha256=sha256, warnings=warnings))

    def leave_unchanged(self, stored: StoredObject) -> Outcome:
        """Return the outcome of a file whose stored object is the server's version."""
        self.key = stored.key  # where it is, which may be under an earlier day
        self._run.logger.info("file_unchanged", extra={"url": self.url, "s3_key": self.key})
        return Outcome(FileResult(self.url, "unchanged", self.key, sha256=stored.metadata.get("sha256")))

    def defer(self, reason: str, left: Task) -> Outcome:
        """Return the outcome of a file that another invocation has to do; ``left``: what is left of it."""
        size = sum(part.size for part in left.unfinished.parts) if left.unfinished else 0
        fields = {"url": self.url, "s3_key": self.key, "bytes": size, "error": reason}
        self._run.logger.warning("file_deferred", extra=fields)
        return Outcome(self._result("deferred", reason, "out_of_time", size), left)

    def fail(self, reason: str, code: str) -> Outcome:
        """Return the outcome of a file that cannot be stored."""
        fields = {"url": self.url, "s3_key": self.key, "error": reason, "code": code}
        self._run.logger.error("file_error", extra=fields)
        return Outcome(self._result("failed", reason, code))

    def _result(self, status: Status, error: str, code: str, size: int = 0) -> FileResult:
        return FileResult(self.url, status, self.key, size, error=error, code=code)
