"""One file of a run, from its entry to its result: named, compared with the stored object, streamed or deferred."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from http import HTTPStatus

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from csv_streamer.exceptions import (
    CsvStreamerError,
    FileError,
    OutOfTimeError,
    SourceBrokeError,
    SourceChangedError,
    UploadGoneError,
)
from csv_streamer.http.download import Download
from csv_streamer.http.retries import Attempts
from csv_streamer.http.source import Source, read_head
from csv_streamer.inputs.keys import make_key, served_name
from csv_streamer.inputs.parameters import describe_url
from csv_streamer.s3.history import StoredObject
from csv_streamer.s3.multipart_upload import Destination, Upload, make_staging_key
from csv_streamer.s3.object_metadata import (
    choose_content_type,
    identify_source,
    is_same_place,
    is_same_version,
    make_conditions,
    make_metadata,
    read_validators,
)
from csv_streamer.schemas import FileResult, Head, Status, Task, Unfinished

from .content import Content, check_head
from .context import Outcome, RunContext
from .file_transfer import Stored, Transfer
from .progress import ProgressMeter

_FULL_TIME_TOLERANCE_SECONDS = 10
"""A file that starts this soon counts as having had the whole invocation."""

_PERMANENT_STATUSES = {401, 404, 405, 407, 410, 413, 414, 415, 451}
"""Refusals that do not depend on the number of connections."""


class FileStreamer:
    """Processes one task; every failure becomes an outcome, never an exception."""

    def __init__(self, run: RunContext, task: Task) -> None:
        self._run = run
        self._task = task
        self._entry = task.entry
        self._url = describe_url(task.entry.url)
        self._key = task.key
        self._source_id = ""
        self._stored: StoredObject | None = None
        self._began = run.clock.now

    async def stream(self) -> Outcome:
        """Return the file's outcome."""
        try:
            return await self._stream()
        except OutOfTimeError as error:
            return self._defer(str(error), replace(self._task, key=self._key))
        except CsvStreamerError as error:
            return self._fail(str(error), error.code)
        except ClientError as error:
            reason = f"{error.operation_name} failed: {error.response['Error'].get('Code', 'unknown')}"
            return self._fail(reason, "s3_error")
        except BotoCoreError as error:
            return self._fail(f"AWS did not respond: {type(error).__name__}", "s3_error")
        except Exception as error:
            self._run.logger.exception("file_unexpected_error", extra={"url": self._url, "s3_key": self._key})
            return self._fail(f"unexpected error: {type(error).__name__}", "internal_error")
        finally:
            self._run.keys.release(self._task.index)

    async def _stream(self) -> Outcome:
        if self._run.clock.now >= self._run.clock.stop_at:
            raise self._too_late("too little time is left to start")
        headers = await self._run.secrets.merge(self._entry)
        self._source_id = await asyncio.to_thread(identify_source, self._entry, headers)
        source = Source(self._run.web, self._entry.url, headers)
        if self._task.unfinished and (outcome := await self._carry_on(source, self._task.unfinished)):
            return outcome
        if self._key and self._run.settings.skip_unchanged:
            await self._look_up(self._key)
        settings = self._run.settings
        for attempt in range(1, settings.max_attempts + 1):
            try:
                return await self._fetch(source, settings.range_connections if attempt == 1 else 1)
            except (SourceChangedError, UploadGoneError) as error:
                self._note_retry(attempt, 0, 0, error)
                problem = error
        raise FileError(f"restarted {settings.max_attempts} times: {problem}", code=problem.code) from problem

    async def _carry_on(self, source: Source, unfinished: Unfinished) -> Outcome | None:
        """Resume where the previous invocation stopped; return None if that is no longer possible."""
        head = unfinished.head
        upload = self._make_upload(head, unfinished)
        download = Download(source, head, self._run.settings, self._note_retry, self._run.clock.stop_at)
        try:
            connections = self._run.settings.range_connections
            return await self._transfer(download, upload, None, connections, unfinished)
        except UploadGoneError as error:
            if head.length is not None and (sha256 := await upload.find_published(head.length)):
                # Published by an invocation that was ended before it could say so.
                meter = ProgressMeter(self._run.logger, "", None, 1)
                return self._succeed(head.length, Stored(len(unfinished.parts), sha256), meter, ())
            self._note_retry(1, 0, 0, error)
        except SourceChangedError as error:
            self._note_retry(1, 0, 0, error)
        return None

    async def _fetch(self, source: Source, connections: int) -> Outcome:
        async with AsyncExitStack() as stack:
            first = await self._open(stack, source)
            head = read_head(first)
            if first.status == HTTPStatus.NOT_MODIFIED:
                if self._stored and is_same_place(self._stored.metadata, head.url):
                    return self._unchanged(self._stored)
                # A redirect leads elsewhere now, to another file with the same validators.
                self._stored = None
                return await self._fetch_anew(stack, source, connections)
            return await self._take(source, first, head, connections)

    async def _fetch_anew(self, stack: AsyncExitStack, source: Source, connections: int) -> Outcome:
        await stack.aclose()  # else this connection would be one of those that the host may have
        return await self._fetch(source, connections)

    async def _take(self, source: Source, first: aiohttp.ClientResponse, head: Head, connections: int) -> Outcome:
        """Store the file of an open response, unless it is stored already."""
        await self._choose_key(head)
        if self._stored and self._is_stored(self._stored, head):
            return self._unchanged(self._stored)
        check_head(self._entry.expect, head)
        self._check_fits(head)
        upload = self._make_upload(head)
        download = Download(source, head, self._run.settings, self._note_retry, self._run.clock.stop_at)
        return await self._transfer(download, upload, first, connections)

    def _is_stored(self, stored: StoredObject, head: Head) -> bool:
        return (
            is_same_version(read_validators(stored.metadata), head.validators)
            and is_same_place(stored.metadata, head.url)
            and head.length in {None, stored.size}
        )

    async def _open(self, stack: AsyncExitStack, source: Source) -> aiohttp.ClientResponse:
        """Request the file; if its host refuses a further connection, request it alone."""
        hosts = self._run.web.hosts
        try:
            return await self._ask(stack, source)
        except (FileError, SourceBrokeError) as error:
            others = hosts.count(source.host)
            if not others or error.status in _PERMANENT_STATUSES:
                raise
            self._note_retry(1, 0, 0, error)
        host = source.host
        try:
            async with asyncio.timeout_at(self._run.clock.stop_at), hosts.alone(host):
                self._began = self._run.clock.now
                response = await self._ask(stack, source, alone=True)
        except TimeoutError as error:
            raise OutOfTimeError("its host serves no further connection, and the others are not done") from error
        hosts.learn(host, others)
        return response

    async def _ask(self, stack: AsyncExitStack, source: Source, *, alone: bool = False) -> aiohttp.ClientResponse:
        """Request the file, and retry transient failures."""
        attempts = Attempts(self._run.settings, self._note_retry, self._run.clock.stop_at)
        conditions = make_conditions(read_validators(self._stored.metadata)) if self._stored else {}
        try:
            async with asyncio.timeout_at(self._run.clock.stop_at) as scope:
                while True:
                    try:
                        return await stack.enter_async_context(source.get(conditions, alone=alone))
                    except SourceBrokeError as error:
                        await attempts.wait(error, 0)
        except OutOfTimeError as error:
            raise self._too_late(str(error)) from error
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise self._too_late("the server did not respond before the invocation's end") from error

    def _too_late(self, reason: str) -> CsvStreamerError:
        """Return the error that defers a file, or fails it if another invocation would not get further."""
        if self._run.settings.continue_async and self._had_all_time:
            return FileError(f"{reason}, and a whole invocation was not enough", code="out_of_time")
        return OutOfTimeError(reason)

    @property
    def _had_all_time(self) -> bool:
        return self._began - self._run.clock.started < _FULL_TIME_TOLERANCE_SECONDS

    async def _choose_key(self, head: Head) -> None:
        """Choose the key by the server's file name if nothing else decided it."""
        if self._key is None:
            prefix = self._entry.prefix or self._run.settings.path_prefix
            key = make_key(prefix, self._run.time, served_name(self._entry.url, head.disposition))
            self._key = await self._run.keys.take_in_turn(self._task.index, key)
            if self._run.settings.skip_unchanged:
                await self._look_up(self._key)

    async def _look_up(self, key: str) -> None:
        prefix, *_, name = key.rsplit("/", 4)
        newest = await self._run.history.find(prefix, name)
        self._stored = newest if newest and newest.metadata.get("source_id") == self._source_id else None

    def _check_fits(self, head: Head) -> None:
        """Defer a file that cannot be resumed if, at the best speed so far, it would not be finished in time."""
        clock, speed = self._run.clock, self._run.speeds.best(self._entry.url)
        can_go_on = head.resumable and self._run.settings.continue_async
        if head.length and speed and not can_go_on and head.length / speed > clock.stop_at - clock.now:
            raise OutOfTimeError(f"would take about {head.length / speed:.0f} s, more than are left")

    def _make_upload(self, head: Head, unfinished: Unfinished | None = None) -> Upload:
        run = self._run
        destination = Destination(
            bucket=run.settings.bucket,
            key=self._key or "",
            staging_key=make_staging_key(run.run_id, self._key or ""),
            content_type=choose_content_type(self._entry, head),
            content_encoding=head.content_encoding,
            metadata=make_metadata(self._entry, self._source_id, head, run.time),
        )
        if unfinished is None:
            return Upload(run.s3, destination, run.logger)
        return Upload(run.s3, destination, run.logger, unfinished.upload_id, unfinished.parts)

    async def _transfer(
        self,
        download: Download,
        upload: Upload,
        first: aiohttp.ClientResponse | None,
        connections: int,
        unfinished: Unfinished | None = None,
    ) -> Outcome:
        run, length = self._run, download.head.length
        run.logger.info(
            "file_download_start",
            extra={"url": self._url, "s3_key": self._key, "expected": length, "bytes": upload.size},
        )
        meter = ProgressMeter(run.logger, self._key or "", length, run.settings.progress_seconds, upload.size)
        content = self._make_content(download.head, unfinished)
        transfer = Transfer(download, upload, content, run.settings, meter, connections, unfinished)
        parts_before = len(upload.parts)
        try:
            stored = await transfer.run(
                first, run.clock.stop_at, run.clock.uploads_until, self._find_known_sha256(download.head)
            )
        except OutOfTimeError as error:
            await transfer.wait_for_uploads(run.clock.uploads_until)
            return await self._leave(transfer, upload, str(error), parts_before)
        except BaseException:
            await transfer.wait_for_uploads(run.clock.uploads_until)
            await upload.abort(run.clock.cleanup_until)
            raise
        if stored.is_known and self._stored:
            await upload.abort(run.clock.cleanup_until)
            return self._unchanged(self._stored)
        name = (self._key or "").rpartition("/")[2]
        return self._succeed(meter.bytes, stored, meter, content.list_warnings(self._entry, download.head, name))

    def _make_content(self, head: Head, unfinished: Unfinished | None) -> Content:
        expect, encoding = self._entry.expect, head.content_encoding
        if unfinished is None:
            return Content(expect, encoding)
        try:
            return Content.restore(expect, encoding, unfinished.content)
        except (KeyError, ValueError) as error:
            raise SourceChangedError(f"its checksums cannot be resumed: {error}") from error

    def _find_known_sha256(self, head: Head) -> str | None:
        """Return the SHA-256 of the stored object if the server sends no validator to compare."""
        if self._stored is None or head.validators.etag or head.validators.last_modified:
            return None
        return self._stored.metadata.get("sha256")

    async def _leave(self, transfer: Transfer, upload: Upload, reason: str, parts_before: int) -> Outcome:
        """Keep the uploaded parts for the next invocation, or abort the upload if there is none."""
        settings = self._run.settings
        left = transfer.leave() if settings.continue_async else None
        if left and (len(left.parts) > parts_before or not self._had_all_time):
            return self._defer(reason, replace(self._task, key=self._key, unfinished=left))
        await upload.abort(self._run.clock.cleanup_until)
        if settings.continue_async and self._had_all_time:
            raise FileError(
                f"not one part of {transfer.part_size} bytes arrived within a whole invocation: lower S3_PART_MB"
                if transfer.resumable
                else "takes longer than one invocation, and its server cannot continue a download",
                code="out_of_time",
            )
        return self._defer(reason, replace(self._task, key=self._key, unfinished=None))

    def _succeed(self, size: int, stored: Stored, meter: ProgressMeter, warnings: tuple[str, ...]) -> Outcome:
        fields = {
            "url": self._url,
            "s3_key": self._key,
            "bytes": size,
            "parts": stored.parts,
            "sha256": stored.sha256,
            "elapsed_ms": round(meter.seconds * 1000),
            "avg_mbps": meter.megabits_per_second,
        }
        self._run.speeds.note(self._entry.url, meter.received, meter.bytes_per_second)
        for warning in warnings:
            extra = {"url": self._url, "s3_key": self._key, "warning": warning}
            self._run.logger.warning("file_warning", extra=extra)
        self._run.logger.info("file_complete" if size else "file_complete_zero", extra=fields)
        result = FileResult(
            self._url, "success", self._key, size, stored.parts, sha256=stored.sha256, warnings=warnings
        )
        return Outcome(result)

    def _unchanged(self, stored: StoredObject) -> Outcome:
        self._key = stored.key  # where it is, which may be under an earlier day
        self._run.logger.info("file_unchanged", extra={"url": self._url, "s3_key": self._key})
        return Outcome(FileResult(self._url, "unchanged", self._key, sha256=stored.metadata.get("sha256")))

    def _defer(self, reason: str, left: Task) -> Outcome:
        size = sum(part.size for part in left.unfinished.parts) if left.unfinished else 0
        fields = {"url": self._url, "s3_key": self._key, "bytes": size, "error": reason}
        self._run.logger.warning("file_deferred", extra=fields)
        return Outcome(self._result("deferred", reason, "out_of_time", size), left)

    def _fail(self, reason: str, code: str) -> Outcome:
        fields = {"url": self._url, "s3_key": self._key, "error": reason, "code": code}
        self._run.logger.error("file_error", extra=fields)
        return Outcome(self._result("failed", reason, code))

    def _result(self, status: Status, error: str, code: str, size: int = 0) -> FileResult:
        return FileResult(self._url, status, self._key, size, error=error, code=code)

    def _note_retry(self, attempt: int, delay: float, offset: int, error: Exception) -> None:
        fields = {"url": self._url, "s3_key": self._key, "attempt": attempt, "offset": offset, "error": str(error)}
        self._run.logger.warning("file_retry", extra={**fields, "retry_in_seconds": round(delay, 2)})
