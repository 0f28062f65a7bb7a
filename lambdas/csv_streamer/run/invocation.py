"""One invocation: plans or resumes a run, streams files, and returns the response."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError, ResponseStreamingError

from csv_streamer.clients import S3, lambda_client, secrets_client
from csv_streamer.exceptions import EntryError, LeaseHeldError, ParametersError
from csv_streamer.http.session import open_http_session
from csv_streamer.inputs.keys import UniqueKeys, known_name, make_key
from csv_streamer.inputs.parameters import PARAMETERS_KEY, describe_url, parse_entry, parse_parameters
from csv_streamer.inputs.secret_headers import SecretHeaders
from csv_streamer.s3.history import History
from csv_streamer.s3.multipart_upload import Destination, Upload, make_staging_key
from csv_streamer.schemas import FileResult, Task
from csv_streamer.settings import Settings
from csv_streamer.transfer.context import Clock, Outcome, RunContext
from csv_streamer.transfer.file_streamer import FileStreamer

from .continuation import Hop, State, StateStore
from .lease import Lease, name_lease
from .report import Response, emit_metrics, refuse, respond, summarise

_MAX_READ_ATTEMPTS = 3
"""Maximum number of requests for the parameters object if the body ends early."""


class Invocation:
    """Plans, runs and reports, and hands over to the next invocation if necessary."""

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
        self._states = StateStore(s3, settings.bucket)
        self._rejected: dict[int, FileResult] = {}

    async def respond(self) -> Response:
        """Do all the work and return the response.

        Raises:
            ParametersError: the parameters cannot be read.
            ContinuationError: there is nothing to continue.
        """
        clock = self._make_clock()
        state = await self._begin()
        if state is None:
            self._logger.warning("continuation_skipped", extra={"run": self._hop.run_id, "hop": self._hop.number})
            return self._end(respond(HTTPStatus.OK, {"message": "Another invocation has this part of the run"}))
        if not state.tasks and not self._rejected:
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
        results = await self._hand_over(state, outcomes, clock, lease)
        if self._hop.number > 1:
            await self._forget(clock)
        by_index = self._rejected | {task.index: result for task, result in zip(state.tasks, results, strict=True)}
        return [by_index[index] for index in sorted(by_index)]

    def _end(self, response: Response) -> Response:
        """Log the end of an invocation without results; return its response."""
        self._logger.info("lambda_complete", extra={"status": response["statusCode"]})
        return response

    async def _forget(self, clock: Clock) -> None:
        """Delete the state that this invocation started from; if that fails, the lifecycle rule deletes it.

        The work is done: an error here would only make Lambda retry it.
        """
        try:
            async with asyncio.timeout_at(clock.cleanup_until):
                await self._states.forget(self._hop)
        except (ClientError, BotoCoreError, TimeoutError) as error:
            fields = {"run": self._hop.run_id, "hop": self._hop.number, "error": str(error) or "no response in time"}
            self._logger.info("continuation_delete_failed", extra=fields)

    def _make_clock(self) -> Clock:
        now = asyncio.get_running_loop().time()
        end = now + self._context.get_remaining_time_in_millis() / 1000
        margin = self._settings.stop_before_seconds
        return Clock(now, end - margin, end - margin / 3, end - margin / 6)

    async def _begin(self) -> State | None:
        if self._hop.number == 1:
            return await self._plan(datetime.now(UTC))
        state = await self._states.take_over(self._hop, self._context.aws_request_id)
        if state is not None:
            fields = {"run": self._hop.run_id, "hop": self._hop.number, "files": len(state.tasks)}
            self._logger.info("continuation_started", extra=fields)
        return state

    async def _plan(self, time: datetime) -> State:
        """Return the state of a new run: a task for each valid entry. Invalid entries become results."""
        raw = self._entries
        if raw is None:
            raw = parse_parameters(await self._read_parameters())
        tasks = [task for index, entry in enumerate(raw) if (task := self._make_task(index, entry))]
        keys = UniqueKeys([], [])
        named: list[Task] = []
        for task in tasks:
            name = known_name(task.entry.name, task.entry.url, self._settings.suffix_map, self._settings.suffix_match)
            key = keys.take(make_key(self._prefix(task), time, name)) if name else None
            named.append(Task(task.index, task.entry, key))
        self._logger.info(
            "ingestion_plan", extra={"files": len(raw), "urls": [describe_url(task.entry.url) for task in named]}
        )
        return State(time, named, [], name_lease(raw))

    def _make_task(self, index: int, raw: object) -> Task | None:
        try:
            task = Task(index, parse_entry(raw))
            make_key(self._prefix(task), datetime.now(UTC), "x")
        except EntryError as error:
            given = raw.get("url") if isinstance(raw, dict) else raw
            url = describe_url(given) if isinstance(given, str) else "(none)"
            reason = f"file_urls[{index}]: {error}"
            fields = {"url": url, "error": reason, "code": error.code}
            self._logger.error("file_error", extra=fields)  # noqa: TRY400  # no traceback needed
            self._rejected[index] = FileResult(url, "failed", error=reason, code=error.code)
            return None
        return task

    def _prefix(self, task: Task) -> str:
        return task.entry.prefix or self._settings.path_prefix

    async def _read_parameters(self) -> bytes:
        try:
            return await self._s3.run(self._fetch_parameters)
        except ClientError as error:
            code = error.response["Error"].get("Code", "unknown")
            reason = f"s3://{self._settings.bucket}/{PARAMETERS_KEY} cannot be read: {code}"
            raise ParametersError(reason, code="parameters_unreadable") from error
        except BotoCoreError as error:
            reason = f"{PARAMETERS_KEY} cannot be read: {type(error).__name__}"
            raise ParametersError(reason, code="parameters_unreadable") from error

    def _fetch_parameters(self) -> bytes:
        """Return the object; a body that ends early is requested again, which botocore does not do."""
        for _ in range(_MAX_READ_ATTEMPTS - 1):
            with suppress(IncompleteReadError, ResponseStreamingError):
                return self._read_object()
        return self._read_object()

    def _read_object(self) -> bytes:
        return self._s3.client.get_object(Bucket=self._settings.bucket, Key=PARAMETERS_KEY)["Body"].read()

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

    async def _hand_over(self, state: State, outcomes: list[Outcome], clock: Clock, lease: Lease) -> list[FileResult]:
        """Hand the remaining tasks to the next invocation; return their results, failed if that is not possible."""
        left = [outcome.left for outcome in outcomes if outcome.left]
        if not left or not self._settings.continue_async:
            return [outcome.result for outcome in outcomes]
        done_keys = [outcome.result.s3_key for outcome in outcomes if outcome.left is None and outcome.result.s3_key]
        following = State(state.time, left, [*state.taken_keys, *done_keys], state.lease)
        problem = await self._continue(following)
        if problem is None:
            lease.is_handed_over = True
            return [outcome.result for outcome in outcomes]
        return [await self._give_up(outcome, problem, clock) for outcome in outcomes]

    async def _continue(self, state: State) -> str | None:
        """Save the state and start the next invocation; return the error text, empty if there is none."""
        following = self._hop.next
        if following.number > self._settings.max_hops:
            return f"not done after {self._settings.max_hops} invocations (MAX_HOPS)"
        try:
            await self._states.save(following, state)
            await asyncio.to_thread(
                lambda_client().invoke,
                FunctionName=self._context.invoked_function_arn,
                InvocationType="Event",
                Payload=json.dumps(following.event).encode(),
            )
        except (ClientError, BotoCoreError) as error:
            return f"could not be continued in another invocation: {error}"
        fields = {"run": following.run_id, "hop": following.number, "files": len(state.tasks)}
        self._logger.info("continuation_saved", extra=fields)
        return None

    async def _give_up(self, outcome: Outcome, problem: str, clock: Clock) -> FileResult:
        task = outcome.left
        if task is None:
            return outcome.result
        if task.unfinished:
            unfinished = task.unfinished
            key = task.key or ""
            staging = make_staging_key(self._hop.run_id, key)
            destination = Destination(self._settings.bucket, key, staging, "", None, {})
            await Upload(self._s3, destination, self._logger, unfinished.upload_id).abort(clock.cleanup_until)
        result = outcome.result
        fields = {"url": result.url, "s3_key": result.s3_key, "error": problem, "code": "not_continued"}
        self._logger.error("file_error", extra=fields)
        return FileResult(result.url, "failed", result.s3_key, error=problem, code="not_continued")

    def _report(self, results: list[FileResult], clock: Clock) -> Response:
        requests = self._s3.counter.as_dict()
        self._logger.info("s3_request_counters", extra=requests)
        status, body = summarise(results, clock.now - clock.started, requests)
        body["run"] = self._hop.run_id
        emit_metrics(self._context.function_name, results)
        self._logger.info("lambda_complete", extra={"status": int(status), **body["summary"]})
        return respond(status, body)
