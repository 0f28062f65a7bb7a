"""Plan of a new run: the entries, checked, with the keys that are known before the servers respond."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError, ResponseStreamingError

from csv_streamer.clients import S3
from csv_streamer.exceptions import EntryError, ParametersError
from csv_streamer.inputs.keys import UniqueKeys, known_name, make_key
from csv_streamer.inputs.parameters import PARAMETERS_KEY, describe_url, parse_entry, parse_parameters
from csv_streamer.schemas import FileResult, Task
from csv_streamer.settings import Settings

from .continuation import State
from .lease import name_lease

_MAX_READ_ATTEMPTS = 3
"""Maximum number of requests for the parameters object if the body ends early."""


class Plan:
    """Makes a task of each valid entry, and a result of each other one."""

    def __init__(self, settings: Settings, s3: S3, logger: Logger, entries: list[Any] | None) -> None:
        """``entries``: the event's own ``file_urls``, None for those of the parameters object."""
        self._settings = settings
        self._s3 = s3
        self._logger = logger
        self._entries = entries
        self.rejected: dict[int, FileResult] = {}
        """Results of the invalid entries, by their index."""

    async def make(self) -> State:
        """Return the state that a new run starts from: a task for each valid entry. Invalid entries become results.

        Raises:
            ParametersError: the parameters cannot be read.
        """
        time = datetime.now(UTC)
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
            self.rejected[index] = FileResult(url, "failed", error=reason, code=error.code)
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
