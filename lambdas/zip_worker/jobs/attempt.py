"""One invocation's work on one job: from the last saved state, or the beginning, to the archive or the time limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
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
from zip_worker.s3.multipart import CopyRange, Parts, abort_stale_uploads, find_parts
from zip_worker.schemas import Archive, Job, Source, StoredObject
from zip_worker.settings import Settings

from .checkpoint import State, StateStore
from .heartbeat import Heartbeat
from .plan import Plan, plan_without
from .write_loop import Reading, write_archive

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MOST_BARREN = 10
"""Invocations without time for anything after which a job is given up."""
_MOST_BEGINNINGS = 5
"""How often one invocation begins an archive anew because objects had to be left out."""
_KEEP_MS = 10_000
"""What is left of the time before the limit for handing the job over, once no copy is waited for any more."""


class Attempt:
    """What one worker does with a job that it holds the lease on."""

    def __init__(
        self, job: Job, settings: Settings, s3: S3Client, heartbeat: Heartbeat, remaining_ms: Callable[[], int]
    ) -> None:
        self._job = job
        self._settings = settings
        self._s3 = s3
        self._heartbeat = heartbeat
        self._remaining_ms = remaining_ms
        self._store = StateStore(s3, job.target_bucket, job.job_id)
        self._plan_etag: str | None = None
        self._next_save = time.monotonic() + settings.checkpoint_seconds

    def run(self, reading: Reading, make_plan: Callable[[], Plan]) -> Archive | None:
        """Return the archive, or ``None`` where it was left, saved, for the next invocation.

        Raises:
            PermanentError: the job cannot be done.
            LeaseLostError: another worker has the job.
        """
        found = self._find_state() if self._job.attempts > 1 else None
        if found is not None and found[1].is_whole:
            stored = self._complete_again(*found)
            if stored:
                return self._describe(found[0], stored)
            found = None
        plan, state = found or (make_plan(), None)
        for _ in range(_MOST_BEGINNINGS):
            try:
                with self._open_upload(plan, state.parts if state else Parts()) as upload:
                    return self._write(plan, state, upload, reading)
            except SourceUnavailableError as error:
                plan, state = self._leave_out(plan, error, reading), None
        raise ShortReadError("objects kept disappearing or changing while they were archived")

    def _leave_out(self, plan: Plan, error: SourceUnavailableError, reading: Reading) -> Plan:
        """Return a plan without all the objects that cannot be read by now; nothing of the archive stays.

        Raises:
            PermanentError: the job does not go on without them.
            ShortReadError: all can be read after all.
        """
        self._heartbeat.renew()
        faults = reading.reader.probe([member.source for member in plan.layout.members])
        self._heartbeat.check()
        if not faults:
            raise ShortReadError(str(error)) from error
        plan = plan_without(self._job, plan, faults, self._settings)
        self._store.drop()
        abort_stale_uploads(self._s3, self._job.target_bucket, self._job.target_key)
        self._store = StateStore(self._s3, self._job.target_bucket, self._job.job_id)
        self._plan_etag = None
        progress = self._heartbeat.progress
        progress.files_done = progress.bytes_copied = progress.bytes_streamed = 0
        return plan

    def _find_state(self) -> tuple[Plan, State] | None:
        """Return what an earlier worker saved, if its upload is as it was; what no state knows of is aborted."""
        job = self._job
        found = self._store.load()
        parts = found and (found[1].parts if found[1].is_whole else self._check_parts(found[1].parts))
        keep = parts.upload_id if parts else None
        abort_stale_uploads(self._s3, job.target_bucket, job.target_key, keep=keep)
        if not found or parts is None:
            return None
        plan, state = found[0], replace(found[1], parts=parts, attempt=job.attempts)
        self._store.save(state)  # in whose place an earlier worker that is not dead after all can put none
        self._plan_etag = state.plan_etag
        return plan, state

    def _check_parts(self, parts: Parts) -> Parts | None:
        return find_parts(self._s3, self._job.target_bucket, self._job.target_key, parts)

    def _complete_again(self, plan: Plan, state: State) -> StoredObject | None:
        """Complete an upload that had all its parts; ``None`` if it is gone."""
        self._set_progress(plan, state)
        self._heartbeat.renew()
        with self._open_upload(plan, state.parts) as upload:
            upload.keep = True
            try:
                return upload.finish(state.runs)
            except UploadGoneError:  # or some of its parts only
                abort_stale_uploads(self._s3, self._job.target_bucket, self._job.target_key)
                return None

    def _open_upload(self, plan: Plan, parts: Parts) -> ArchiveUpload:
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

    def _write(self, plan: Plan, state: State | None, upload: ArchiveUpload, reading: Reading) -> Archive | None:
        def copy(number: int, source: Source, start: int, length: int) -> None:
            upload.copy(number, CopyRange(self._job.source_bucket, source, start, length))

        cutter = PartCutter(plan.layout.part_size, upload.put)
        writer = ArchiveWriter(plan.layout, cutter, copy)
        self._set_progress(plan, state)
        if state:
            upload.keep = True
            cutter.restore(state.position, state.buffers)
            state.buffers.clear()  # they are the cutter's now, and too large to be kept twice
            writer.restore(state.cursor, state.records, state.runs)
        begun = writer.cursor.steps

        def after_step() -> None:
            self._heartbeat.check()
            if self._remaining_ms() < self._settings.stop_before_seconds * 1000:
                raise OutOfTimeError("the function's time limit is near")
            if time.monotonic() >= self._next_save and upload.parts.upload_id:
                self._save(plan, writer, cutter, upload)

        try:
            write_archive(plan.layout, writer, reading, self._heartbeat.progress, after_step)
        except OutOfTimeError:
            barren = 0
            if writer.cursor.steps <= begun + 1:
                barren = state.barren + 1 if state else 1
            if barren >= _MOST_BARREN:
                raise EndlessJobError(self._describe_standstill()) from None
            upload.settle_copies((self._remaining_ms() - _KEEP_MS) / 1000)
            self._save(plan, writer, cutter, upload, barren=barren)
            return None
        return self._describe(plan, self._complete(plan, writer, cutter, upload))

    def _complete(self, plan: Plan, writer: ArchiveWriter, cutter: PartCutter, upload: ArchiveUpload) -> StoredObject:
        last = cutter.finish()
        if not (upload.keep and upload.parts.upload_id):
            self._heartbeat.renew()
            return upload.complete(*last, writer.runs)
        upload.put(*last)
        upload.drain(copies=True)
        self._save(plan, writer, cutter, upload, is_whole=True)
        self._heartbeat.renew()
        return upload.finish(writer.runs)

    def _save(
        self,
        plan: Plan,
        writer: ArchiveWriter,
        cutter: PartCutter,
        upload: ArchiveUpload,
        *,
        is_whole: bool = False,
        barren: int = 0,
    ) -> None:
        """Keep how far the archive is; all bytes before the cutter's buffers are with S3 then."""
        upload.drain()
        self._heartbeat.check()
        if self._plan_etag is None:
            self._plan_etag = self._store.save_plan(plan)
        state = State(
            plan_etag=self._plan_etag,
            cursor=writer.cursor,
            position=cutter.position,
            buffers=[] if is_whole else cutter.buffers,
            records=bytes(writer.records),
            runs=writer.runs,
            parts=upload.parts,
            bytes_streamed=self._heartbeat.progress.bytes_streamed,
            is_whole=is_whole,
            barren=barren,
            attempt=self._job.attempts,
        )
        self._store.save(state)
        upload.keep = True
        self._next_save = time.monotonic() + self._settings.checkpoint_seconds

    def _set_progress(self, plan: Plan, state: State | None) -> None:
        progress = self._heartbeat.progress
        progress.files_total, progress.bytes_total = len(plan.layout.members), plan.size
        if state:
            progress.files_done = state.files_done
            progress.bytes_streamed = state.bytes_streamed
            progress.bytes_copied = state.bytes_copied

    def _describe(self, plan: Plan, stored: StoredObject) -> Archive:
        progress = self._heartbeat.progress
        return Archive(
            stored,
            len(plan.layout.members),
            list(plan.skipped),
            progress.bytes_copied,
            progress.bytes_streamed,
            is_saved=self._store.is_used,
        )

    def _describe_standstill(self) -> str:
        done = self._heartbeat.progress
        return (
            f"the function's time limit came too near for anything to be done: {done.files_done} of "
            f"{done.files_total} files, {done.bytes_done} of {done.bytes_total} bytes were done"
        )
