"""The continuation of a job: the checkpoint that an attempt starts from, and those that it saves."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from zip_worker.archive.part_buffer import PartCutter
from zip_worker.archive.writer import ArchiveWriter
from zip_worker.s3.archive_upload import ArchiveUpload
from zip_worker.s3.multipart import MultipartState, abort_stale_uploads, find_parts
from zip_worker.schemas import Job

from .checkpoint import Checkpoint, CheckpointStore
from .heartbeat import Heartbeat
from .plan import Plan

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Continuation:
    """The saved plan and checkpoint of a job, as one attempt finds, replaces and discards them."""

    def __init__(self, job: Job, s3: S3Client, heartbeat: Heartbeat, checkpoint_seconds: float) -> None:
        self._job = job
        self._s3 = s3
        self._heartbeat = heartbeat
        self._checkpoint_seconds = checkpoint_seconds
        self._store = CheckpointStore(s3, job.target_bucket, job.job_id)
        self._plan_etag: str | None = None
        self._next_save = time.monotonic() + checkpoint_seconds

    @property
    def is_used(self) -> bool:
        """Whether a checkpoint was found or saved."""
        return self._store.is_used

    @property
    def is_save_due(self) -> bool:
        """Whether it is time for the next checkpoint."""
        return time.monotonic() >= self._next_save

    def find(self) -> tuple[Plan, Checkpoint] | None:
        """Return an earlier worker's plan and checkpoint if its upload is unchanged; abort all other uploads."""
        job = self._job
        found = self._store.load()
        parts = found and (found[1].parts if found[1].is_whole else self._check_parts(found[1].parts))
        keep = parts.upload_id if parts else None
        abort_stale_uploads(self._s3, job.target_bucket, job.target_key, keep=keep)
        if not found or parts is None:
            return None
        plan, checkpoint = found[0], replace(found[1], parts=parts, attempt=job.attempts)
        # Overwrites the checkpoint (If-Match): an earlier worker that is still alive can no longer write its own.
        self._store.save(checkpoint)
        self._plan_etag = checkpoint.plan_etag
        return plan, checkpoint

    def save(
        self,
        plan: Plan,
        writer: ArchiveWriter,
        cutter: PartCutter,
        upload: ArchiveUpload,
        *,
        is_whole: bool = False,
        no_progress_count: int = 0,
    ) -> None:
        """Save a checkpoint once S3 has all bytes before the cutter's buffers."""
        upload.drain()
        self._heartbeat.check()
        if self._plan_etag is None:
            self._plan_etag = self._store.save_plan(plan)
        checkpoint = Checkpoint(
            plan_etag=self._plan_etag,
            cursor=writer.cursor,
            position=cutter.position,
            buffers=[] if is_whole else cutter.buffers,
            records=bytes(writer.records),
            runs=writer.runs,
            parts=upload.parts,
            bytes_streamed=self._heartbeat.progress.bytes_streamed,
            is_whole=is_whole,
            no_progress_count=no_progress_count,
            attempt=self._job.attempts,
        )
        self._store.save(checkpoint)
        upload.keep = True
        self._next_save = time.monotonic() + self._checkpoint_seconds

    def discard(self) -> None:
        """Delete plan and checkpoint and abort the upload, for an archive that is started again."""
        self._store.delete()
        abort_stale_uploads(self._s3, self._job.target_bucket, self._job.target_key)
        self._store = CheckpointStore(self._s3, self._job.target_bucket, self._job.job_id)
        self._plan_etag = None

    def _check_parts(self, parts: MultipartState) -> MultipartState | None:
        return find_parts(self._s3, self._job.target_bucket, self._job.target_key, parts)
