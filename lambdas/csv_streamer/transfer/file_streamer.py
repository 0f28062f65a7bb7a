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
    SourceChangedError,
    UploadGoneError,
)
from csv_streamer.http.source import Source, read_head
from csv_streamer.inputs.keys import make_key, served_name
from csv_streamer.s3.history import StoredObject
from csv_streamer.s3.object_metadata import (
    identify_source,
    is_same_place,
    is_same_version,
    make_conditions,
    read_validators,
)
from csv_streamer.schemas import Head, Task, Unfinished

from .content import check_head
from .context import Outcome, RunContext
from .delivery import Delivery
from .file_report import FileReport
from .first_request import FirstRequest
from .time_budget import TimeBudget


class FileStreamer:
    """Processes one task; every failure becomes an outcome, never an exception."""

    def __init__(self, run: RunContext, task: Task) -> None:
        self._run = run
        self._task = task
        self._entry = task.entry
        self._report = FileReport(run, task)
        self._budget = TimeBudget(run)
        self._source_id = ""
        self._stored: StoredObject | None = None

    async def stream(self) -> Outcome:
        """Return the file's outcome."""
        report = self._report
        try:
            return await self._stream()
        except OutOfTimeError as error:
            return report.defer(str(error), replace(self._task, key=report.key))
        except CsvStreamerError as error:
            return report.fail(str(error), error.code)
        except ClientError as error:
            reason = f"{error.operation_name} failed: {error.response['Error'].get('Code', 'unknown')}"
            return report.fail(reason, "s3_error")
        except BotoCoreError as error:
            return report.fail(f"AWS did not respond: {type(error).__name__}", "s3_error")
        except Exception as error:
            self._run.logger.exception("file_unexpected_error", extra={"url": report.url, "s3_key": report.key})
            return report.fail(f"unexpected error: {type(error).__name__}", "internal_error")
        finally:
            self._run.keys.release(self._task.index)

    async def _stream(self) -> Outcome:
        self._budget.check_start()
        headers = await self._run.secrets.merge(self._entry)
        self._source_id = await asyncio.to_thread(identify_source, self._entry, headers)
        source = Source(self._run.web, self._entry.url, headers)
        if self._task.unfinished and (outcome := await self._carry_on(source, self._task.unfinished)):
            return outcome
        settings = self._run.settings
        if self._report.key and settings.skip_unchanged:
            await self._look_up(self._report.key)
        for attempt in range(1, settings.max_attempts + 1):
            try:
                return await self._fetch(source, settings.range_connections if attempt == 1 else 1)
            except (SourceChangedError, UploadGoneError) as error:
                self._report.note_retry(attempt, 0, 0, error)
                problem = error
        raise FileError(f"restarted {settings.max_attempts} times: {problem}", code=problem.code) from problem

    async def _carry_on(self, source: Source, unfinished: Unfinished) -> Outcome | None:
        """Resume where the previous invocation stopped; return None if that is no longer possible."""
        delivery = self._make_delivery(unfinished.head, unfinished)
        try:
            return await delivery.deliver(source, None, self._run.settings.range_connections)
        except UploadGoneError as error:
            if outcome := await delivery.find_published():
                return outcome
            self._report.note_retry(1, 0, 0, error)
        except SourceChangedError as error:
            self._report.note_retry(1, 0, 0, error)
        return None

    def _make_delivery(self, head: Head, unfinished: Unfinished | None = None) -> Delivery:
        return Delivery(self._run, self._task, self._report, self._budget, self._source_id, head, unfinished)

    async def _fetch(self, source: Source, connections: int) -> Outcome:
        conditions = make_conditions(read_validators(self._stored.metadata)) if self._stored else {}
        async with AsyncExitStack() as stack:
            first = await FirstRequest(self._run, source, self._report, self._budget).open(stack, conditions)
            head = read_head(first)
            if first.status == HTTPStatus.NOT_MODIFIED:
                if self._stored and is_same_place(self._stored.metadata, head.url):
                    return self._report.leave_unchanged(self._stored)
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
        if self._stored and _is_stored(self._stored, head):
            return self._report.leave_unchanged(self._stored)
        check_head(self._entry.expect, head)
        self._budget.check_fits(self._entry.url, head)
        return await self._make_delivery(head).deliver(source, first, connections, self._stored)

    async def _choose_key(self, head: Head) -> None:
        """Choose the key by the server's file name if nothing else decided it."""
        if self._report.key is None:
            prefix = self._entry.prefix or self._run.settings.path_prefix
            key = make_key(prefix, self._run.time, served_name(self._entry.url, head.disposition))
            self._report.key = await self._run.keys.take_in_turn(self._task.index, key)
            if self._run.settings.skip_unchanged:
                await self._look_up(self._report.key)

    async def _look_up(self, key: str) -> None:
        prefix, *_, name = key.rsplit("/", 4)
        newest = await self._run.history.find(prefix, name)
        self._stored = newest if newest and newest.metadata.get("source_id") == self._source_id else None


def _is_stored(stored: StoredObject, head: Head) -> bool:
    return (
        is_same_version(read_validators(stored.metadata), head.validators)
        and is_same_place(stored.metadata, head.url)
        and head.length in {None, stored.size}
    )
