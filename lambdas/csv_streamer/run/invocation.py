"""One invocation: plans or resumes a run, streams files, and returns the response."""

import asyncio
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from csv_streamer.clients import S3, secrets_client
from csv_streamer.exceptions import LeaseHeldError
from csv_streamer.http.session import open_http_session
from csv_streamer.inputs.keys import UniqueKeys
from csv_streamer.inputs.parameters import PARAMETERS_KEY
from csv_streamer.inputs.secret_headers import SecretHeaders
from csv_streamer.s3.history import History
from csv_streamer.schemas import FileResult, Task
from csv_streamer.settings import Settings
from csv_streamer.transfer.context import Clock, Outcome, RunContext
from csv_streamer.transfer.file_streamer import FileStreamer

from .continuation import Hop, State
from .handover import Handover
from .lease import Lease
from .plan import Plan
from .report import Response, emit_metrics, refuse, respond, summarise


class Invocation:
    """Plans a run or takes it over, streams its files, hands over what is left, and reports."""

    def __init__(
        self,
        settings: Settings,
        s3: S3,
        hop: Hop,
        context: LambdaContext,
        logger: Logger,
        entries: list[Any] | None = None,
    ) -> None:
        """``entries``: the event's own ``file_urls``, None for those of the parameters object."""
        self._entries = entries
        self._settings = settings
        self._s3 = s3
        self._hop = hop
        self._context = context
        self._logger = logger
        self._plan = Plan(settings, s3, logger, entries)
        self._handover = Handover(settings, s3, hop, context, logger)

    async def respond(self) -> Response:
        """Do all the work and return the response.

        Raises:
            ParametersError: the parameters cannot be read.
            ContinuationError: there is nothing to continue.
        """
        clock = self._make_clock()
        state = await (self._plan.make() if self._hop.number == 1 else self._handover.take_over())
        if state is None:
            return self._end(respond(HTTPStatus.OK, {"message": "Another invocation has this part of the run"}))
        if not state.tasks and not self._plan.rejected:
            self._logger.warning("no_file_urls")
            where = PARAMETERS_KEY if self._entries is None else "the event"
            reason = f"file_urls in {where} names no files"
            emit_metrics(self._context.function_name, [], run_failed=True)
            return self._end(refuse(HTTPStatus.BAD_REQUEST, reason, "no_file_urls"))
        lease = Lease(self._s3, self._settings.bucket, state.lease, self._hop.run_id, self._logger)
        try:
            async with lease.hold(first=self._hop.number == 1):
                results = await self._do(state, clock, lease)
        except LeaseHeldError as error:
            self._logger.warning("run_refused", extra={"error": str(error)})
            return self._end(refuse(HTTPStatus.CONFLICT, str(error), error.code))
        return self._report(results, clock)

    async def _do(self, state: State, clock: Clock, lease: Lease) -> list[FileResult]:
        """Stream the files and hand over the remaining ones; return the results in the entries' order."""
        outcomes = await self._stream(state, clock)
        results = await self._handover.hand_over(state, outcomes, clock, lease)
        if self._hop.number > 1:
            await self._handover.forget(clock)
        by_index = self._plan.rejected | {task.index: result for task, result in zip(state.tasks, results, strict=True)}
        return [by_index[index] for index in sorted(by_index)]

    def _end(self, response: Response) -> Response:
        """Log the end of an invocation without results; return its response."""
        self._logger.info("lambda_complete", extra={"status": response["statusCode"]})
        return response

    def _make_clock(self) -> Clock:
        now = asyncio.get_running_loop().time()
        end = now + self._context.get_remaining_time_in_millis() / 1000
        margin = self._settings.stop_before_seconds
        return Clock(now, end - margin, end - margin / 3, end - margin / 6)

    async def _stream(self, state: State, clock: Clock) -> list[Outcome]:
        """Stream all files in order, at most ``CONCURRENCY`` concurrently."""
        taken = [task.key for task in state.tasks if task.key]
        undecided = [task.index for task in state.tasks if task.key is None]
        slots = asyncio.Semaphore(self._settings.concurrency)
        async with open_http_session(self._settings) as web:
            run = RunContext(
                run_id=self._hop.run_id,
                settings=self._settings,
                s3=self._s3,
                web=web,
                logger=self._logger,
                time=state.time,
                clock=clock,
                keys=UniqueKeys([*state.taken_keys, *taken], undecided),
                history=History(self._s3, self._settings.bucket),
                secrets=SecretHeaders(secrets_client),
            )

            async def stream(task: Task) -> Outcome:
                async with slots:
                    return await FileStreamer(run, task).stream()

            return await asyncio.gather(*(stream(task) for task in state.tasks))

    def _report(self, results: list[FileResult], clock: Clock) -> Response:
        requests = self._s3.counter.as_dict()
        self._logger.info("s3_request_counters", extra=requests)
        status, body = summarise(results, clock.now - clock.started, requests)
        body["run"] = self._hop.run_id
        emit_metrics(self._context.function_name, results)
        self._logger.info("lambda_complete", extra={"status": int(status), **body["summary"]})
        return respond(status, body)
