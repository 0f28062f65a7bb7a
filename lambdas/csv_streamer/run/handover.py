"""Handover of a run between two invocations: the state that one leaves, and the start of the next."""

import asyncio
import json

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from csv_streamer.clients import S3, lambda_client
from csv_streamer.s3.multipart_upload import Destination, Upload, make_staging_key
from csv_streamer.schemas import FileResult
from csv_streamer.settings import Settings
from csv_streamer.transfer.context import Clock, Outcome

from .continuation import Hop, State, StateStore
from .lease import Lease


class Handover:
    """Takes a run over from the invocation before this one, and hands what is left of it to the next."""

    def __init__(self, settings: Settings, s3: S3, hop: Hop, context: LambdaContext, logger: Logger) -> None:
        self._settings = settings
        self._s3 = s3
        self._hop = hop
        self._context = context
        self._logger = logger
        self._states = StateStore(s3, settings.bucket)

    async def take_over(self) -> State | None:
        """Return the state that the invocation before this one left; None if another invocation has it.

        Raises:
            ContinuationError: the state does not exist.
        """
        fields: dict[str, object] = {"run": self._hop.run_id, "hop": self._hop.number}
        state = await self._states.take_over(self._hop, self._context.aws_request_id)
        if state is None:
            self._logger.warning("continuation_skipped", extra=fields)
        else:
            self._logger.info("continuation_started", extra={**fields, "files": len(state.tasks)})
        return state

    async def hand_over(self, state: State, outcomes: list[Outcome], clock: Clock, lease: Lease) -> list[FileResult]:
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
        """Save the state and start the next invocation; return the error text, None if it has started."""
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

    async def forget(self, clock: Clock) -> None:
        """Delete the state that this invocation started from; if that fails, the lifecycle rule deletes it.

        The work is done: an error here would only make Lambda retry it.
        """
        try:
            async with asyncio.timeout_at(clock.cleanup_until):
                await self._states.forget(self._hop)
        except (ClientError, BotoCoreError, TimeoutError) as error:
            fields = {"run": self._hop.run_id, "hop": self._hop.number, "error": str(error) or "no response in time"}
            self._logger.info("continuation_delete_failed", extra=fields)
