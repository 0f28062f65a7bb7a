"""The plan and the state of a job, kept in its target bucket; a lifecycle rule removes what is forgotten there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .exceptions import LeaseLostError
from .state import Plan, State, dump_plan, dump_state, load_plan, load_state

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PREFIX = ".zip-jobs/"
_MISSING = {"NoSuchKey", "404", "PreconditionFailed", "412"}
_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}


class StateStore:
    """Where one worker keeps what another may need; only one of them can write at a time."""

    def __init__(self, s3: S3Client, bucket: str, job_id: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._plan_key = f"{_PREFIX}{job_id}.plan"
        self._state_key = f"{_PREFIX}{job_id}.state"
        self._etag: str | None = None

    @property
    def is_used(self) -> bool:
        """Whether a state was found or saved."""
        return self._etag is not None

    def load(self) -> tuple[Plan, State] | None:
        """Return what was saved last, or ``None`` if that is nothing, or nothing that this version can go on with."""
        found = self._read(self._state_key)
        if found is None:
            return None
        raw, self._etag = found
        state = load_state(raw)
        plan_raw = state and self._read(self._plan_key, IfMatch=state.plan_etag)
        plan = load_plan(plan_raw[0]) if plan_raw else None
        return (plan, state) if plan and state else None

    def save_plan(self, plan: Plan) -> str:
        """Keep the plan; return the ETag that names it in states."""
        return self._s3.put_object(Bucket=self._bucket, Key=self._plan_key, Body=dump_plan(plan))["ETag"]

    def save(self, state: State) -> None:
        """Keep the state in place of the one that this worker read or wrote last.

        Raises:
            LeaseLostError: there is another one by now, so another worker must have written it.
        """
        raw = dump_state(state)
        condition: dict[str, Any] = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        try:
            answer = self._s3.put_object(Bucket=self._bucket, Key=self._state_key, Body=raw, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _TAKEN:
                raise
            # The SDK repeats a write whose answer was lost, and then finds its own first try.
            found = self._read(self._state_key)
            if found is None or found[0] != raw:
                raise LeaseLostError("another worker has saved its state") from error
            self._etag = found[1]
        else:
            self._etag = answer["ETag"]

    def drop(self) -> None:
        """Forget plan and state."""
        for key in (self._state_key, self._plan_key):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _read(self, key: str, **condition: str) -> tuple[bytes, str] | None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key, **condition)  # type: ignore[arg-type]
            return answer["Body"].read(), answer["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
