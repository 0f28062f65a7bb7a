"""Delivery of one version of a file to its key: upload, transfer, and what stays for the next invocation."""

from dataclasses import replace

import aiohttp

from csv_streamer.exceptions import FileError, OutOfTimeError, SourceChangedError
from csv_streamer.http.download import Download
from csv_streamer.http.source import Source
from csv_streamer.s3.history import StoredObject
from csv_streamer.s3.multipart_upload import Destination, Upload, make_staging_key
from csv_streamer.s3.object_metadata import choose_content_type, make_metadata
from csv_streamer.schemas import Head, Task, Unfinished

from .content import Content
from .context import Outcome, RunContext
from .file_report import FileReport
from .file_transfer import Transfer
from .progress import ProgressMeter
from .time_budget import TimeBudget


class Delivery:
    """Stores one version of a file under the report's key, or leaves what it could not do in time."""

    def __init__(
        self,
        run: RunContext,
        task: Task,
        report: FileReport,
        budget: TimeBudget,
        source_id: str,
        head: Head,
        unfinished: Unfinished | None = None,
    ) -> None:
        """``unfinished``: what an earlier invocation left of this version, None for another one."""
        self._run = run
        self._task = task
        self._report = report
        self._budget = budget
        self._head = head
        self._unfinished = unfinished
        self._parts_before = len(unfinished.parts) if unfinished else 0
        self._upload = self._make_upload(source_id)

    def _make_upload(self, source_id: str) -> Upload:
        run, entry, key = self._run, self._task.entry, self._report.key or ""
        destination = Destination(
            bucket=run.settings.bucket,
            key=key,
            staging_key=make_staging_key(run.run_id, key),
            content_type=choose_content_type(entry, self._head),
            content_encoding=self._head.content_encoding,
            metadata=make_metadata(entry, source_id, self._head, run.time),
        )
        if self._unfinished is None:
            return Upload(run.s3, destination, run.logger)
        return Upload(run.s3, destination, run.logger, self._unfinished.upload_id, self._unfinished.parts)

    async def deliver(
        self,
        source: Source,
        first: aiohttp.ClientResponse | None,
        connections: int,
        stored: StoredObject | None = None,
    ) -> Outcome:
        """Return the file's outcome: stored, unchanged or deferred.

        ``first``: the open first response, None where an earlier invocation had it. ``stored``: the newest object from
        the same source, which need not be stored again.

        Raises:
            CsvStreamerError: the file cannot be stored; its upload is aborted.
        """
        run, length = self._run, self._head.length
        self._report.note_start(length, self._upload.size)
        meter = ProgressMeter(
            run.logger, self._report.key or "", length, run.settings.progress_seconds, self._upload.size
        )
        content = self._make_content()
        download = Download(source, self._head, run.settings, self._report.note_retry, run.clock.stop_at)
        transfer = Transfer(download, self._upload, content, run.settings, meter, connections, self._unfinished)
        try:
            result = await transfer.run(
                first, run.clock.stop_at, run.clock.uploads_until, self._find_known_sha256(stored)
            )
        except OutOfTimeError as error:
            await transfer.wait_for_uploads(run.clock.uploads_until)
            return await self._leave(transfer, str(error))
        except BaseException:
            await transfer.wait_for_uploads(run.clock.uploads_until)
            await self._upload.abort(run.clock.cleanup_until)
            raise
        if result.is_known and stored:
            await self._upload.abort(run.clock.cleanup_until)
            return self._report.leave_unchanged(stored)
        name = (self._report.key or "").rpartition("/")[2]
        warnings = content.list_warnings(self._task.entry, self._head, name)
        return self._report.succeed(meter.bytes, result.parts, result.sha256, meter, warnings)

    def _make_content(self) -> Content:
        expect, encoding = self._task.entry.expect, self._head.content_encoding
        if self._unfinished is None:
            return Content(expect, encoding)
        try:
            return Content.restore(expect, encoding, self._unfinished.content)
        except (KeyError, ValueError) as error:
            raise SourceChangedError(f"its checksums cannot be resumed: {error}") from error

    def _find_known_sha256(self, stored: StoredObject | None) -> str | None:
        """Return the SHA-256 of the stored object if the server sends no validator to compare."""
        if stored is None or self._head.validators.etag or self._head.validators.last_modified:
            return None
        return stored.metadata.get("sha256")

    async def _leave(self, transfer: Transfer, reason: str) -> Outcome:
        """Keep the uploaded parts for the next invocation, or abort the upload if there is none."""
        settings = self._run.settings
        left = transfer.leave() if settings.continue_async else None
        if left and (len(left.parts) > self._parts_before or not self._budget.is_whole):
            return self._report.defer(reason, replace(self._task, key=self._report.key, unfinished=left))
        await self._upload.abort(self._run.clock.cleanup_until)
        if settings.continue_async and self._budget.is_whole:
            raise FileError(
                f"not one part of {transfer.part_size} bytes arrived within a whole invocation: lower S3_PART_MB"
                if transfer.resumable
                else "takes longer than one invocation, and its server cannot continue a download",
                code="out_of_time",
            )
        return self._report.defer(reason, replace(self._task, key=self._report.key, unfinished=None))

    async def find_published(self) -> Outcome | None:
        """Return the outcome of a file that an earlier invocation published before it was ended, else None.

        Raises:
            FileError: S3 has stored something else.
        """
        if self._head.length is None or not (sha256 := await self._upload.find_published(self._head.length)):
            return None
        meter = ProgressMeter(self._run.logger, "", None, 1)
        return self._report.succeed(self._head.length, self._parts_before, sha256, meter, ())
