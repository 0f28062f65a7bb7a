"""The work on one SQS message, from the lease on its job to the job's end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from zip_worker.exceptions import JobCancelledError, LeaseLostError, MessageRejectedError, PermanentError, TryAgainError
from zip_worker.s3.key_lists import parse_key_list
from zip_worker.s3.multipart import abort_stale_uploads
from zip_worker.s3.source_reader import SourceReader
from zip_worker.s3.survey import Surveyor
from zip_worker.s3_get import GetObject
from zip_worker.schemas import Archive, Job
from zip_worker.settings import Settings

from .attempt import Attempt
from .cleanup import delete_objects
from .heartbeat import Heartbeat
from .messages import Message
from .outcomes import JobOutcomes
from .plan import plan_job
from .table import Busy, Ended, JobTable, Unknown
from .write_loop import Reading

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
        self._jobs = jobs
        self._logger = logger
        self._remaining_ms = remaining_ms
        self._outcomes = JobOutcomes(settings, s3, send, jobs, logger)

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
                    delete_objects(self._s3, message.job_id, bucket, key_list_key if status == "CANCELLED" else None)
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
            self._outcomes.cancel(job)
        except LeaseLostError as error:
            self._logger.warning("lease_lost", extra={"error": str(error)})
            raise TryAgainError(str(error)) from error
        except PermanentError as error:
            self._outcomes.fail(job, error)
        except Exception as error:  # noqa: BLE001  # any error must be recorded in the job
            self._outcomes.retry_or_fail(job, message, error)
        else:
            if archive is None:
                self._outcomes.hand_over(job, message)
            else:
                self._outcomes.finish(job, archive, time.monotonic() - started)

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
