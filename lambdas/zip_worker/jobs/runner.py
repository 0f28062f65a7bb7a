"""What one SQS message sets in motion, from the lease on its job to the job's end."""

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
from zip_worker.s3.source import SourceBucket
from zip_worker.s3_get import GetObject
from zip_worker.schemas import Archive, Job, KeyFault
from zip_worker.settings import Settings

from .attempt import Attempt
from .checkpoint import StateStore
from .heartbeat import Heartbeat
from .key_report import write_report
from .messages import Message
from .plan import plan_job
from .table import Busy, Ended, JobTable, Unknown
from .write_loop import Reading

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FIRST_RETRY_SECONDS = 5
_LATE_SECONDS = 30
"""More than it takes to drop a lease: a message that came before would find the job taken, and be dropped."""
_PERMANENT_CODES = {
    "AccessDenied": "access was denied",
    "403": "access was denied",  # HeadObject has no body to say it in
    "InvalidObjectState": "the object is archived (Glacier) and has to be restored first",
    "NoSuchBucket": "the bucket does not exist",
    "NoSuchKey": "the object does not exist",
}


class Worker:
    """Takes one job at a time from lease to end."""

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
        """Work on the message's job; returning acknowledges the message, whatever became of the job.

        Raises:
            TryAgainError: the message has to be delivered again.
            MessageRejectedError: there is no such job.
        """
        match self._jobs.lease(message.job_id, message.message_id, message.receives):
            case Unknown():
                raise MessageRejectedError(f"there is no job {message.job_id}")
            case Ended(status, bucket, key, key_list_key, attempts):
                if attempts or message.receives > 1:
                    abort_stale_uploads(self._s3, bucket, key)
                if attempts or status == "CANCELLED":
                    self._drop_objects(message.job_id, bucket, key_list_key if status == "CANCELLED" else None)
                self._logger.info("job_skipped", extra={"status": status})
            case Busy(_, holder) if holder != message.message_id:
                # A second message for the job. The first one stays in the queue until the job has ended.
                self._logger.info("job_skipped", extra={"status": "leased"})
            case Busy(seconds_left, _):
                message.hide(max(1, int(seconds_left) + 1))
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
        except Exception as error:  # noqa: BLE001  # whatever it is, the job must learn of it
            self._retry_or_fail(job, message, error)
        else:
            if archive is None:
                self._hand_over(job, message)
            else:
                self._finish(job, archive, time.monotonic() - started)

    def _archive(self, job: Job, message: Message) -> Archive | None:
        settings = self._settings
        crc32_from = settings.copy_threshold if job.compression == "stored" else 0
        reader = SourceBucket(
            self._s3,
            job.source_bucket,
            settings.read_concurrency,
            self._get_object_fast,
            crc32_from,
            settings.head_threshold,
        )
        with Heartbeat(self._jobs, job.job_id, message.hide, settings.lease_seconds) as heartbeat:
            attempt = Attempt(job, settings, self._s3, heartbeat, self._remaining_ms)
            return attempt.run(
                Reading(reader, settings.read_concurrency, settings.read_ahead_bytes),
                lambda: plan_job(job, self._read_key_list(job), reader, settings),
            )

    def _read_key_list(self, job: Job) -> list[str] | None:
        if job.key_list_key is None:
            return None
        return parse_key_list(self._s3.get_object(Bucket=job.target_bucket, Key=job.key_list_key)["Body"].read())

    def _hand_over(self, job: Job, message: Message) -> None:
        """Let the next invocation carry on.

        The lease goes first, so that whoever gets the new message finds the job free. Killed in between, this
        worker's own message comes back; killed after that, it comes back to a job that the other one has. On its last
        receive it does not come back: then the new message goes first, delayed, and a worker that is killed in between
        leaves a lease that has run out, by which the job is known to be dead.
        """
        hops = job.hops + 1
        if hops > self._settings.max_hops:
            reason = f"the job was not done after {hops} invocations, the limit of this deployment (MAX_HOPS)"
            self._fail(job, PermanentError(reason, ErrorCode.LIMIT_EXCEEDED))
            return
        is_last = message.receives >= self._settings.max_receives
        if is_last:
            self._send(job.job_id, _LATE_SECONDS)
        if not self._jobs.hand_over(job.job_id, hops, message.message_id):
            raise TryAgainError("the job was cancelled, or the lease lost, as it was handed over")
        if not is_last:
            self._send(job.job_id, 0)
        self._logger.info("job_continued", extra={"hops": hops})

    def _finish(self, job: Job, archive: Archive, seconds: float) -> None:
        archive = replace(archive, report_key=self._write_report(job, archive.skipped))
        if not self._jobs.finish(job.job_id, archive):
            self._take_back(job, archive)
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
        self._drop_objects(job.job_id, job.target_bucket, job.key_list_key, is_saved=archive.is_saved)

    def _write_report(self, job: Job, faults: Sequence[KeyFault]) -> str | None:
        """Write the list of keys where it is long; a list that cannot be written must not cost the job its end."""
        try:
            return write_report(self._s3, job, faults)
        except (ClientError, BotoCoreError):
            self._logger.exception("key_report_failed")
            return None

    def _take_back(self, job: Job, archive: Archive) -> None:
        """Deal with an archive that is complete when its job is no longer ours."""
        status = self._jobs.status(job.job_id)
        if status in {"CANCELLED", "FAILED"}:
            version: dict[str, Any] = {"VersionId": archive.stored.version_id} if archive.stored.version_id else {}
            self._s3.delete_object(Bucket=job.target_bucket, Key=job.target_key, **version)
            self._drop_report(job, archive.report_key)
            self._clean_up(job)
            self._logger.info("job_cancelled" if status == "CANCELLED" else "job_skipped", extra={"status": status})
        elif status in {"READY", "EXPIRED"}:  # by our own write, whose answer was lost, or by another worker
            self._logger.info("job_skipped", extra={"status": status})
        else:
            raise TryAgainError("the lease was lost as the archive was complete")

    def _fail(self, job: Job, error: PermanentError, cause: Exception | None = None) -> None:
        report_key = self._write_report(job, error.faults)
        if self._jobs.fail(job.job_id, error, report_key):
            fields = {"error": str(error), "code": error.code.value, "keys": len(error.faults)}
            self._logger.error("job_failed", exc_info=cause, extra=fields)
            self._clean_up(job)
            return
        status = self._jobs.status(job.job_id)
        if status == "CANCELLED":
            self._drop_report(job, report_key)
        elif status == "PENDING":
            raise TryAgainError("the lease was lost as the job failed")

    def _drop_report(self, job: Job, report_key: str | None) -> None:
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
            self._fail(job, PermanentError(f"gave up after {message.receives} tries: {reason}"), error)
            return
        delay = _FIRST_RETRY_SECONDS * 2 ** (message.receives - 1)
        self._logger.warning("job_retry", exc_info=error, extra={"error": reason, "retry_in_seconds": delay})
        self._jobs.release(job.job_id, reason)
        message.hide(delay)
        raise TryAgainError(reason) from error

    def _clean_up(self, job: Job) -> None:
        """Remove what a job without an archive leaves; what this misses, the bucket's lifecycle rules remove."""
        with suppress(ClientError, BotoCoreError):
            abort_stale_uploads(self._s3, job.target_bucket, job.target_key)
        self._drop_objects(job.job_id, job.target_bucket, job.key_list_key)

    def _drop_objects(self, job_id: str, bucket: str, key_list_key: str | None, *, is_saved: bool = True) -> None:
        """Remove the request's key list and, if they may be there, plan and state."""
        with suppress(ClientError, BotoCoreError):
            if is_saved:
                StateStore(self._s3, bucket, job_id).drop()
            if key_list_key:
                self._s3.delete_object(Bucket=bucket, Key=key_list_key)


def describe(error: Exception) -> str:
    """Return what a job's owner may know of an error: what failed and S3's code for it, no internals."""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "unknown")
        return f"{error.operation_name} failed: {_PERMANENT_CODES.get(code, code)}"
    return str(error) if isinstance(error, ZipJobError) else type(error).__name__
