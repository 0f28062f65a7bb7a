"""The work on one SQS message, from the lease on its job to the job's end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from zip_worker.exceptions import (
    ErrorCode,
    JobCancelledError,
    LeaseLostError,
    MessageRejectedError,
    PermanentError,
    TryAgainError,
    ZipJobError,
)
from zip_worker.s3.key_lists import parse_key_list
from zip_worker.s3.multipart import abort_stale_uploads
from zip_worker.s3.source_reader import SourceReader
from zip_worker.s3.survey import Surveyor
from zip_worker.s3_get import GetObject
from zip_worker.schemas import Archive, Job, KeyFault
from zip_worker.settings import Settings

from .attempt import Attempt
from .checkpoint import CheckpointStore
from .heartbeat import Heartbeat
from .key_report import write_report
from .messages import Message
from .plan import plan_job
from .table import Busy, Ended, JobTable, Unknown
from .write_loop import Reading

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


class JobRunner:
    """Works on one job at a time, from the lease to the end."""

    def __init__(
        self,
        settings: Settings,
        s3: S3Client,
        get_object_fast: GetObject,
        send: Callable[[str, int], None],
        jobs: JobTable,
        logger: Logger,
        remaining_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._s3 = s3
        self._get_object_fast = get_object_fast
        self._send = send
        self._jobs = jobs
        self._logger = logger
        self._remaining_ms = remaining_ms

    def process(self, message: Message) -> None:
        """Work on the message's job; returning acknowledges the message, whatever the job's outcome.

        Raises:
            TryAgainError: the message must be delivered again.
            MessageRejectedError: the job does not exist.
        """
        match self._jobs.lease(message.job_id, message.message_id, message.receives):
            case Unknown():
                raise MessageRejectedError(f"there is no job {message.job_id}")
            case Ended(status, bucket, key, key_list_key, attempts):
                if attempts or message.receives > 1:
                    abort_stale_uploads(self._s3, bucket, key)
                if attempts or status == "CANCELLED":
                    self._delete_objects(message.job_id, bucket, key_list_key if status == "CANCELLED" else None)
                self._logger.info("job_already_ended", extra={"status": status})
            case Busy(_, holder) if holder != message.message_id:
                # A second message of the job. The first one stays in the queue until the job has ended.
                self._logger.info("job_already_leased", extra={"status": "leased"})
            case Busy(seconds_left, _):
                message.change_visibility(max(1, int(seconds_left) + 1))
                raise TryAgainError("another worker still holds the lease")
            case leased:
                self._work(leased.job, message)

    def _work(self, job: Job, message: Message) -> None:
        started = time.monotonic()
        begun = {"receives": message.receives, "attempts": job.attempts, "hops": job.hops}
        self._logger.info("job_started", extra=begun)
        try:
            archive = self._archive(job, message)
        except JobCancelledError:
            self._logger.info("job_cancelled")
            self._clean_up(job)
        except LeaseLostError as error:
            self._logger.warning("lease_lost", extra={"error": str(error)})
            raise TryAgainError(str(error)) from error
        except PermanentError as error:
            self._fail(job, error)
        except Exception as error:  # noqa: BLE001  # any error must be recorded in the job
            self._retry_or_fail(job, message, error)
        else:
            if archive is None:
                self._hand_over(job, message)
            else:
                self._finish(job, archive, time.monotonic() - started)

    def _archive(self, job: Job, message: Message) -> Archive | None:
        settings = self._settings
        crc32_from = settings.copy_threshold if job.compression == "stored" else 0
        concurrency = settings.read_concurrency
        surveyor = Surveyor(self._s3, job.source_bucket, concurrency, crc32_from, settings.head_threshold)
        reader = SourceReader(self._s3, job.source_bucket, concurrency, self._get_object_fast)
        with Heartbeat(self._jobs, job.job_id, message.change_visibility, settings.lease_seconds) as heartbeat:
            attempt = Attempt(job, settings, self._s3, heartbeat, self._remaining_ms)
            return attempt.run(
                Reading(reader, concurrency, settings.read_ahead_bytes),
                lambda: plan_job(job, self._read_key_list(job), surveyor, settings),
            )

    def _read_key_list(self, job: Job) -> list[str] | None:
        if job.key_list_key is None:
            return None
        return parse_key_list(self._s3.get_object(Bucket=job.target_bucket, Key=job.key_list_key)["Body"].read())

    def _hand_over(self, job: Job, message: Message) -> None:
        """Hand the job over to the next invocation.

        The worker releases the lease, then sends the message, so that the receiver can take the lease. A crash in
        between redelivers the worker's own message. On the last receive there is no redelivery, so the worker sends
        first, with a delay; a crash then leaves an expired lease, which marks the job dead.
        """
        hops = job.hops + 1
        if hops > self._settings.max_hops:
            reason = f"the job did not finish within {hops} invocations, the limit of this deployment (MAX_HOPS)"
            self._fail(job, PermanentError(reason, ErrorCode.LIMIT_EXCEEDED))
            return
        is_last = message.receives >= self._settings.max_receives
        if is_last:
            self._send(job.job_id, _HAND_OVER_DELAY_SECONDS)
        if not self._jobs.hand_over(job.job_id, hops, message.message_id):
            raise TryAgainError("the job was cancelled, or the lease lost, during the hand-over")
        if not is_last:
            self._send(job.job_id, 0)
        self._logger.info("job_continued", extra={"hops": hops})

    def _finish(self, job: Job, archive: Archive, seconds: float) -> None:
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
        self._delete_objects(job.job_id, job.target_bucket, job.key_list_key, has_checkpoint=archive.has_checkpoint)

    def _write_report(self, job: Job, faults: Sequence[KeyFault]) -> str | None:
        """Write the key report if the list is long; a failure to write it must not keep the job from ending."""
        try:
            return write_report(self._s3, job, faults)
        except (ClientError, BotoCoreError):
            self._logger.exception("key_report_failed")
            return None

    def _resolve_lost_job(self, job: Job, archive: Archive) -> None:
        """Handle an archive that is complete when its job is no longer this worker's."""
        status = self._jobs.status(job.job_id)
        if status in {"CANCELLED", "FAILED"}:
            version: dict[str, Any] = {"VersionId": archive.stored.version_id} if archive.stored.version_id else {}
            self._s3.delete_object(Bucket=job.target_bucket, Key=job.target_key, **version)
            self._delete_report(job, archive.report_key)
            self._clean_up(job)
            self._logger.info(
                "job_cancelled" if status == "CANCELLED" else "job_already_ended", extra={"status": status}
            )
        elif status in {"READY", "EXPIRED"}:  # by this worker's write, whose response was lost, or by another worker
            self._logger.info("job_already_ended", extra={"status": status})
        else:
            raise TryAgainError("the lease was lost when the archive was complete")

    def _fail(self, job: Job, error: PermanentError, cause: Exception | None = None) -> None:
        report_key = self._write_report(job, error.faults)
        if self._jobs.fail(job.job_id, error, report_key):
            fields = {"error": str(error), "code": error.code.value, "keys": len(error.faults)}
            self._logger.error("job_failed", exc_info=cause, extra=fields)
            self._clean_up(job)
            return
        status = self._jobs.status(job.job_id)
        if status == "CANCELLED":
            self._delete_report(job, report_key)
        elif status == "PENDING":
            raise TryAgainError("the lease was lost when the job failed")

    def _delete_report(self, job: Job, report_key: str | None) -> None:
        if report_key:
            with suppress(ClientError, BotoCoreError):
                self._s3.delete_object(Bucket=job.target_bucket, Key=report_key)

    def _retry_or_fail(self, job: Job, message: Message, error: Exception) -> None:
        reason = describe(error)
        permanent = isinstance(error, ClientError) and error.response["Error"]["Code"] in _PERMANENT_CODES
        if permanent:
            self._fail(job, PermanentError(reason, ErrorCode.TARGET_DENIED), error)
            return
        if message.receives >= self._settings.max_receives:
            self._fail(job, PermanentError(f"gave up after {message.receives} attempts: {reason}"), error)
            return
        delay = _FIRST_RETRY_SECONDS * 2 ** (message.receives - 1)
        self._logger.warning("job_retry", exc_info=error, extra={"error": reason, "retry_in_seconds": delay})
        self._jobs.release(job.job_id, reason)
        message.change_visibility(delay)
        raise TryAgainError(reason) from error

    def _clean_up(self, job: Job) -> None:
        """Remove what a job without an archive leaves; the bucket's lifecycle rules remove what this misses."""
        with suppress(ClientError, BotoCoreError):
            abort_stale_uploads(self._s3, job.target_bucket, job.target_key)
        self._delete_objects(job.job_id, job.target_bucket, job.key_list_key)

    def _delete_objects(
        self, job_id: str, bucket: str, key_list_key: str | None, *, has_checkpoint: bool = True
    ) -> None:
        """Remove the request's key list and, if they may exist, plan and checkpoint."""
        with suppress(ClientError, BotoCoreError):
            if has_checkpoint:
                CheckpointStore(self._s3, bucket, job_id).delete()
            if key_list_key:
                self._s3.delete_object(Bucket=bucket, Key=key_list_key)


def describe(error: Exception) -> str:
    """Return the text of an error for the job's owner: the operation that failed and S3's code, no internals."""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "unknown")
        return f"{error.operation_name} failed: {_PERMANENT_CODES.get(code, code)}"
    return str(error) if isinstance(error, ZipJobError) else type(error).__name__
