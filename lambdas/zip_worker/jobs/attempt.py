"""One invocation's work on one job: from the last checkpoint, or the start, to the archive or the time limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zip_worker.archive.part_buffer import PartCutter
from zip_worker.archive.writer import ArchiveWriter
from zip_worker.exceptions import (
    EndlessJobError,
    OutOfTimeError,
    ShortReadError,
    SourceUnavailableError,
    UploadGoneError,
)
from zip_worker.s3.archive_upload import ArchiveUpload
from zip_worker.s3.multipart import CopyRange, MultipartState
from zip_worker.schemas import Archive, Job, Progress, Source, StoredObject
from zip_worker.settings import Settings

from .checkpoint import Checkpoint
from .continuation import Continuation
from .heartbeat import Heartbeat
from .plan import Plan, plan_without
from .write_loop import Reading, write_archive

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MAX_NO_PROGRESS = 10
"""Consecutive invocations without progress after which a job fails."""
_MAX_STARTS = 5
"""How often one invocation starts an archive, again each time that objects have to be left out."""
_HAND_OVER_RESERVE_MS = 10_000
"""Time kept for the hand-over after the wait for copies."""


class Attempt:
    """A worker's attempt at a job that it holds the lease on."""

    def __init__(
        self, job: Job, settings: Settings, s3: S3Client, heartbeat: Heartbeat, remaining_ms: Callable[[], int]
    ) -> None:
        self._job = job
        self._settings = settings
        self._s3 = s3
        self._heartbeat = heartbeat
        self._remaining_ms = remaining_ms
        self._continuation = Continuation(job, s3, heartbeat, settings.checkpoint_seconds)

    def run(self, reading: Reading, make_plan: Callable[[], Plan]) -> Archive | None:
        """Return the archive, or ``None`` if a checkpoint was saved for the next invocation.

        Raises:
            PermanentError: the job fails for good.
            LeaseLostError: another worker has the job.
        """
        found = self._continuation.find() if self._job.attempts > 1 else None
        if found is not None and found[1].is_whole:
            stored = self._complete_again(*found)
            if stored:
                return self._describe(found[0], stored)
            found = None
            self._start_over()
        plan, checkpoint = found or (make_plan(), None)
        for _ in range(_MAX_STARTS):
            try:
                with self._open_upload(plan, checkpoint.parts if checkpoint else MultipartState()) as upload:
                    return self._write(plan, checkpoint, upload, reading)
            except SourceUnavailableError as error:
                plan, checkpoint = self._leave_out(plan, error, reading), None
        raise ShortReadError("objects kept disappearing or changing during the archiving")

    def _leave_out(self, plan: Plan, error: SourceUnavailableError, reading: Reading) -> Plan:
        """Return a plan without the objects that cannot be read now, and discard the archive's upload and checkpoint.

        Raises:
            PermanentError: the job's policies forbid to leave them out.
            ShortReadError: all objects can be read after all.
        """
        self._heartbeat.renew()
        faults = reading.reader.probe([member.source for member in plan.layout.members])
        self._heartbeat.check()
        if not faults:
            raise ShortReadError(str(error)) from error
        plan = plan_without(self._job, plan, faults, self._settings)
        self._start_over()
        return plan

    def _start_over(self) -> None:
        """Discard plan, checkpoint and upload, so that the next checkpoint is of the plan that is made now."""
        self._continuation.discard()
        progress = self._heartbeat.progress
        progress.files_done = progress.bytes_copied = progress.bytes_streamed = 0

    def _complete_again(self, plan: Plan, checkpoint: Checkpoint) -> StoredObject | None:
        """Complete an upload that had all its parts; return ``None`` if it no longer exists."""
        self._set_progress(plan, checkpoint)
        self._heartbeat.renew()
        with self._open_upload(plan, checkpoint.parts) as upload:
            upload.keep = True
            try:
                return upload.finish(checkpoint.runs)
            except UploadGoneError:  # the upload, or one of its parts
                return None

    def _open_upload(self, plan: Plan, parts: MultipartState) -> ArchiveUpload:
        return ArchiveUpload(
            self._s3,
            self._job.target_bucket,
            self._job.target_key,
            concurrency=self._settings.upload_concurrency,
            part_size=plan.layout.part_size,
            copy_concurrency=self._settings.copy_concurrency,
            parts=parts,
            after_copy=self._heartbeat.progress.add_copied,
        )

    def _write(
        self, plan: Plan, checkpoint: Checkpoint | None, upload: ArchiveUpload, reading: Reading
    ) -> Archive | None:
        def copy(number: int, source: Source, start: int, length: int) -> None:
            upload.copy(number, CopyRange(self._job.source_bucket, source, start, length))

        cutter = PartCutter(plan.layout.part_size, upload.put)
        writer = ArchiveWriter(plan.layout, cutter, copy)
        self._set_progress(plan, checkpoint)
        if checkpoint:
            upload.keep = True
            cutter.restore(checkpoint.position, checkpoint.buffers)
            checkpoint.buffers.clear()  # the cutter owns them now; they are too large to be kept twice
            writer.restore(checkpoint.cursor, checkpoint.records, checkpoint.runs)
        begun = writer.cursor.steps

        def after_step() -> None:
            self._heartbeat.check()
            if self._remaining_ms() < self._settings.stop_before_seconds * 1000:
                raise OutOfTimeError("the function's time limit is near")
            if self._continuation.is_save_due and upload.parts.upload_id:
                self._continuation.save(plan, writer, cutter, upload)

        try:
            write_archive(plan.layout, writer, reading, self._heartbeat.progress, after_step)
        except OutOfTimeError:
            no_progress_count = 0
            if writer.cursor.steps <= begun + 1:
                no_progress_count = checkpoint.no_progress_count + 1 if checkpoint else 1
            if no_progress_count >= _MAX_NO_PROGRESS:
                raise EndlessJobError(_describe_lack_of_progress(self._heartbeat.progress)) from None
            upload.wait_for_copies((self._remaining_ms() - _HAND_OVER_RESERVE_MS) / 1000)
            self._continuation.save(plan, writer, cutter, upload, no_progress_count=no_progress_count)
            return None
        return self._describe(plan, self._complete(plan, writer, cutter, upload))

    def _complete(self, plan: Plan, writer: ArchiveWriter, cutter: PartCutter, upload: ArchiveUpload) -> StoredObject:
        last = cutter.finish()
        if not (upload.keep and upload.parts.upload_id):
            self._heartbeat.renew()
            return upload.complete(*last, writer.runs)
        upload.put(*last)
        upload.drain(copies=True)
        self._continuation.save(plan, writer, cutter, upload, is_whole=True)
        self._heartbeat.renew()
        return upload.finish(writer.runs)

    def _set_progress(self, plan: Plan, checkpoint: Checkpoint | None) -> None:
        progress = self._heartbeat.progress
        progress.files_total, progress.bytes_total = len(plan.layout.members), plan.size
        if checkpoint:
            progress.files_done = checkpoint.files_done
            progress.bytes_streamed = checkpoint.bytes_streamed
            progress.bytes_copied = checkpoint.bytes_copied

    def _describe(self, plan: Plan, stored: StoredObject) -> Archive:
        progress = self._heartbeat.progress
        return Archive(
            stored,
            len(plan.layout.members),
            list(plan.skipped),
            progress.bytes_copied,
            progress.bytes_streamed,
            has_checkpoint=self._continuation.is_used,
        )


def _describe_lack_of_progress(done: Progress) -> str:
    return (
        f"the job makes no progress within the function's time limit: {done.files_done} of "
        f"{done.files_total} files, {done.bytes_done} of {done.bytes_total} bytes were done"
    )
