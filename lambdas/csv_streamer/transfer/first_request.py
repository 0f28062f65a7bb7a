"""First request of a file, which is retried, and repeated alone if its host refuses a further connection."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

import aiohttp

from csv_streamer.exceptions import FileError, OutOfTimeError, SourceBrokeError
from csv_streamer.http.retries import Attempts
from csv_streamer.http.source import Source

from .context import RunContext
from .file_report import FileReport
from .time_budget import TimeBudget

_PERMANENT_STATUSES = {401, 404, 405, 407, 410, 413, 414, 415, 451}
"""Refusals that do not depend on the number of connections."""


class FirstRequest:
    """Requests one file from its start; its failures are logged and its waiting is counted as the file's."""

    def __init__(self, run: RunContext, source: Source, report: FileReport, budget: TimeBudget) -> None:
        self._run = run
        self._source = source
        self._report = report
        self._budget = budget

    async def open(self, stack: AsyncExitStack, conditions: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Return the response, which ``stack`` closes; if the host refuses a further connection, request it alone.

        Raises:
            CsvStreamerError: the server refuses the request or does not respond, or it is too late.
        """
        hosts = self._run.web.hosts
        try:
            return await self._ask(stack, conditions)
        except (FileError, SourceBrokeError) as error:
            others = hosts.count(self._source.host)
            if not others or error.status in _PERMANENT_STATUSES:
                raise
            self._report.note_retry(1, 0, 0, error)
        host = self._source.host  # of the last redirect
        try:
            async with asyncio.timeout_at(self._run.clock.stop_at), hosts.alone(host):
                self._budget.restart()
                response = await self._ask(stack, conditions, alone=True)
        except TimeoutError as error:
            raise OutOfTimeError("its host serves no further connection, and the others are not done") from error
        hosts.learn(host, others)
        return response

    async def _ask(
        self, stack: AsyncExitStack, conditions: Mapping[str, str], *, alone: bool = False
    ) -> aiohttp.ClientResponse:
        """Request the file, and retry transient failures."""
        attempts = Attempts(self._run.settings, self._report.note_retry, self._run.clock.stop_at)
        try:
            async with asyncio.timeout_at(self._run.clock.stop_at) as scope:
                while True:
                    try:
                        return await stack.enter_async_context(self._source.get(conditions, alone=alone))
                    except SourceBrokeError as error:
                        await attempts.wait(error, 0)
        except OutOfTimeError as error:
            raise self._budget.too_late(str(error)) from error
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise self._budget.too_late("the server did not respond before the invocation's end") from error
