"""State of a run between two invocations, stored in S3 and taken over by exactly one invocation."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from botocore.exceptions import ClientError

from csv_streamer.clients import S3
from csv_streamer.exceptions import EventError
from csv_streamer.schemas import STATE_PREFIX, Entry, Expectation, Head, Part, Task, Unfinished, Validators

_RUN_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_CONFLICT_CODES = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class ContinuationError(EventError):
    """The event was not sent by this function, or its state is gone."""

    code = "continuation_invalid"


@dataclass(frozen=True, slots=True)
class Hop:
    """An invocation of a run; the first has number 1."""

    run_id: str
    number: int

    @classmethod
    def from_event(cls, event: object, request_id: str) -> Self:
        """Return the hop of an event; an event without ``continue`` starts a run.

        Raises:
            ContinuationError: ``continue`` is not what this function writes there.
        """
        match event:
            case {"continue": _, "file_urls": _}:
                raise ContinuationError("the event has both continue and file_urls")
            case {"continue": {"run": str(run_id), "hop": int(number)}} if _RUN_ID.fullmatch(run_id) and number > 1:
                return cls(run_id, number)
            case {"continue": _}:
                raise ContinuationError('continue is not of the form {"run": "<id>", "hop": <number>}')
        return cls(request_id, 1)

    @property
    def next(self) -> Hop:
        """Return the hop after this one."""
        return Hop(self.run_id, self.number + 1)

    @property
    def event(self) -> dict[str, Any]:
        """Return the event that invokes this hop."""
        return {"continue": {"run": self.run_id, "hop": self.number}}

    @property
    def key(self) -> str:
        """Return the key of the state that this hop starts from."""
        return f"{STATE_PREFIX}{self.run_id}/{self.number}.json"


@dataclass(frozen=True, slots=True)
class State:
    """A run between two invocations."""

    time: datetime
    """When the run began, UTC."""
    tasks: list[Task]
    taken_keys: list[str]
    """Keys of finished files, which no other file may use."""
    lease: str = ""
    """Key of the run's lease."""

    def dump(self) -> bytes:
        """Return the state as JSON."""
        tasks = [asdict(task) for task in self.tasks]
        fields = {"time": self.time.isoformat(), "tasks": tasks, "taken_keys": self.taken_keys, "lease": self.lease}
        return json.dumps(fields).encode()

    @classmethod
    def load(cls, raw: bytes) -> Self:
        """Return the state that :meth:`dump` wrote."""
        state = json.loads(raw)
        tasks = [_load_task(fields) for fields in state["tasks"]]
        return cls(datetime.fromisoformat(state["time"]), tasks, state["taken_keys"], state.get("lease", ""))


def _load_task(fields: dict[str, Any]) -> Task:
    unfinished = fields.pop("unfinished")
    expect = fields["entry"].get("expect") or {}
    expectation = Expectation(**{**expect, "content_types": tuple(expect.get("content_types", ()))})
    entry = Entry(**{**fields["entry"], "expect": expectation})
    return Task(**{**fields, "entry": entry}, unfinished=unfinished and _load_unfinished(unfinished))


def _load_unfinished(fields: dict[str, Any]) -> Unfinished | None:
    if "content" not in fields:  # from an earlier release with another kind of upload: the file starts over
        return None
    head = Head(**{**fields["head"], "validators": Validators(**fields["head"]["validators"])})
    return Unfinished(**{**fields, "head": head, "parts": [Part(**part) for part in fields["parts"]]})


class StateStore:
    """The states below ``.csv-streamer/`` in the bucket, whose lifecycle rule removes leftovers."""

    def __init__(self, s3: S3, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    async def save(self, hop: Hop, state: State) -> None:
        """Store the state that ``hop`` starts from."""
        await self._s3.run(self._s3.client.put_object, Bucket=self._bucket, Key=hop.key, Body=state.dump())

    async def take_over(self, hop: Hop, request_id: str) -> State | None:
        """Return the hop's state; None if another invocation has it, since Lambda may deliver an event twice.

        A retry by Lambda has the same request id, and gets the state again.

        Raises:
            ContinuationError: the state does not exist.
        """
        claim = f"{hop.key}.claim"
        try:
            await self._s3.run(
                self._s3.client.put_object,
                Bucket=self._bucket,
                Key=claim,
                Body=request_id.encode(),
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in _CONFLICT_CODES:
                raise
            if await self._read(claim) != request_id.encode():
                return None
        try:
            return State.load(await self._read(hop.key))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            raise ContinuationError(f"the state {hop.key} does not exist: the run has ended") from error

    async def forget(self, hop: Hop) -> None:
        """Delete a hop's state; its claim stays, so that a late second delivery still finds it."""
        await self._s3.run(self._s3.client.delete_object, Bucket=self._bucket, Key=hop.key)

    async def _read(self, key: str) -> bytes:
        def read() -> bytes:
            return self._s3.client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

        return await self._s3.run(read)
