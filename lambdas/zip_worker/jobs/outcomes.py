"""The outcomes of one attempt at a job: recorded in the job table, logged, and cleaned up after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from zip_worker.exceptions import ErrorCode, PermanentError, TryAgainError, ZipJobError
from zip_worker.schemas import Archive, Job, KeyFault
from zip_worker.settings import Settings

from .cleanup import clean_up, delete_objects, delete_report
from .key_report import write_report
from .messages import Message
from .table import JobTable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FIRST_RETRY_SECONDS = 5
_HAND_OVER_DELAY_SECONDS = 30
"""Longer than a release of the lease takes: a message that arrives earlier finds the job leased and is dropped."""
_PERMANENT_CODES = {
    "AccessDenied": "access was denied",
    "403": "access was denied",  # HeadObject has no body with a code
    "InvalidObjectState": "the object is archived (Glacier) and must be restored first",
    "NoSuchBucket": "the bucket does not exist",
    "NoSuchKey": "the object does not exist",
}


class JobOutcomes:
    """Records how an attempt at a job ended: READY, FAILED, cancelled, handed over, or to be tried again."""

    def __init__(
        self, settings: Settings, s3: S3Client, send: Callable[[str, int], None], jobs: JobTable, logger: Logger
    ) -> None:
        self._settings = settings
        self._s3 = s3
        self._send = send
        self._jobs = jobs
        self._logger = logger

    def cancel(self, job: Job) -> None:
        """Clean up after a job that was cancelled while the worker ran."""
        self._logger.info("job_cancelled")
        clean_up(self._s3, job)

    def hand_over(self, job: Job, message: Message) -> None:
        """Hand the job over to the next invocation.

        The worker releases the lease, then sends the message, so that the receiver can take the lease. A crash in
        between redelivers the worker's own message. On the last receive there is no redelivery, so the worker sends
        first, with a delay; a crash then leaves an expired lease, which marks the job dead.

        Raises:
            TryAgainError: the job is no longer this worker's.
        """
        hops = job.hops + 1
        if hops > self._settings.max_hops:
            reason = f"the job did not finish within {hops} invocations, the limit of this deployment (MAX_HOPS)"
            self.fail(job, PermanentError(reason, ErrorCode.LIMIT_EXCEEDED))
            return
        is_last = message.receives >= self._settings.max_receives
        if is_last:
            self._send(job.job_id, _HAND_OVER_DELAY_SECONDS)
        if not self._jobs.hand_over(job.job_id, hops, message.message_id):
            raise TryAgainError("the job was cancelled, or the lease lost, during the hand-over")
        if not is_last:
            self._send(job.job_id, 0)
        self._logger.info("job_continued", extra={"hops": hops})

    def finish(self, job: Job, archive: Archive, seconds: float) -> None:
        """Mark the job READY, ``seconds`` after the worker started on it.

        Raises:
            TryAgainError: the lease was lost, and the job has not ended.
        """
        archive = replace(archive, report_key=self._write_report(job, archive.skipped))
        if not self._jobs.finish(job.job_id, archive):
            self._resolve_lost_job(job, archive)
            return
        self._logger.info(
            "job_ready",
            extra={
                "files": archive.files,
                "skipped": len(archive.skipped),
                "bytes": archive.stored.size,
                "bytes_copied": archive.bytes_copied,
                "bytes_streamed": archive.bytes_streamed,
                "hops": job.hops,
                "duration_ms": round(seconds * 1000),
                "target_key": job.target_key,
            },
        )
        delete_objects(self._s3, job.job_id, job.target_bucket, job.key_list_key, has_checkpoint=archive.has_checkpoint)

    def fail(self, job: Job, error: PermanentError, cause: Exception | None = None) -> None:
        """Mark the job FAILED; ``cause`` is logged with it.

        Raises:
            TryAgainError: the lease was lost, and the job has not ended.
        """
        report_key = self._write_report(job, error.faults)
        if self._jobs.fail(job.job_id, error, report_key):
            fields = {"error": str(error), "code": error.code.value, "keys": len(error.faults)}
            self._logger.error("job_failed", exc_info=cause, extra=fields)
            clean_up(self._s3, job)
            return
        status = self._jobs.status(job.job_id)
        if status == "CANCELLED":
            delete_report(self._s3, job, report_key)
        elif status == "PENDING":
            raise TryAgainError("the lease was lost when the job failed")

    def retry_or_fail(self, job: Job, message: Message, error: Exception) -> None:
        """Release the job for another attempt; mark it FAILED if the error will stay, or on the last receive.

        Raises:
            TryAgainError: the message must be delivered again.
        """
        reason = describe(error)
        permanent = isinstance(error, ClientError) and error.response["Error"]["Code"] in _PERMANENT_CODES
        if permanent:
            self.fail(job, PermanentError(reason, ErrorCode.TARGET_DENIED), error)
            return
        if message.receives >= self._settings.max_receives:
            self.fail(job, PermanentError(f"gave up after {message.receives} attempts: {reason}"), error)
            return
        delay = _FIRST_RETRY_SECONDS * 2 ** (message.receives - 1)
        self._logger.warning("job_retry", exc_info=error, extra={"error": reason, "retry_in_seconds": delay})
        self._jobs.release(job.job_id, reason)
        message.change_visibility(delay)
        raise TryAgainError(reason) from error

    def _resolve_lost_job(self, job: Job, archive: Archive) -> None:
        """Handle an archive that is complete when its job is no longer this worker's."""
        status = self._jobs.status(job.job_id)
        if status in {"CANCELLED", "FAILED"}:
            version: dict[str, Any] = {"VersionId": archive.stored.version_id} if archive.stored.version_id else {}
            self._s3.delete_object(Bucket=job.target_bucket, Key=job.target_key, **version)
            delete_report(self._s3, job, archive.report_key)
            clean_up(self._s3, job)
            self._logger.info(
                "job_cancelled" if status == "CANCELLED" else "job_already_ended", extra={"status": status}
            )
        elif status in {"READY", "EXPIRED"}:  # by this worker's write, whose response was lost, or by another worker
            self._logger.info("job_already_ended", extra={"status": status})
        else:
            raise TryAgainError("the lease was lost when the archive was complete")

    def _write_report(self, job: Job, faults: Sequence[KeyFault]) -> str | None:
        """Write the key report if the list is long; a failure to write it must not keep the job from ending."""
        try:
            return write_report(self._s3, job, faults)
        except (ClientError, BotoCoreError):
            self._logger.exception("key_report_failed")
            return None


def describe(error: Exception) -> str:
    """Return the text of an error for the job's owner: the operation that failed and S3's code, no internals."""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "unknown")
        return f"{error.operation_name} failed: {_PERMANENT_CODES.get(code, code)}"
    return str(error) if isinstance(error, ZipJobError) else type(error).__name__
