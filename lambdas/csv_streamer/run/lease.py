"""A lease in S3 that allows one run of the same parameters at a time; it expires soon after its run has died."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from csv_streamer.clients import S3
from csv_streamer.exceptions import LeaseHeldError
from csv_streamer.schemas import LEASE_PREFIX

LEASE_SECONDS = 20
RENEWAL_SECONDS = 5
HANDOVER_SECONDS = 300
"""Time that a run's next invocation has to start, seconds."""

_MAX_ATTEMPTS = 5
_CONFLICT_CODES = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "404", "NoSuchKey"}


def name_lease(entries: list[Any]) -> str:
    """Return the key of the lease for a run of these entries of ``file_urls``."""
    text = json.dumps(entries, sort_keys=True, separators=(",", ":")).encode()
    return f"{LEASE_PREFIX}{hashlib.sha256(text).hexdigest()}.json"


class Lease:
    """The lease that a run holds while it works, so that another run of the same entries does not start."""

    def __init__(self, s3: S3, bucket: str, key: str, run_id: str, logger: Logger) -> None:
        self._s3 = s3
        self._object: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._run_id = run_id
        self._logger = logger
        self._etag: str | None = None
        self.is_handed_over = False
        """Whether another invocation continues the run, and keeps the lease."""

    @asynccontextmanager
    async def hold(self, *, first: bool) -> AsyncIterator[None]:
        """Hold the lease inside the block, renewing it.

        ``first``: whether a run starts here; it does not start if another run has the lease. A run in progress
        continues without the lease, so that its work is not lost.

        Raises:
            LeaseHeldError: another run has it.
        """
        await self._acquire(first=first)
        over = asyncio.Event()
        renewing = asyncio.create_task(self._keep_renewing(over))
        try:
            yield
        finally:
            over.set()
            await asyncio.wait([renewing])  # not cancelled: the result of a renewal in progress must be known
            await self._end()

    async def _acquire(self, *, first: bool) -> None:
        try:
            for _ in range(_MAX_ATTEMPTS):
                if await self._put(LEASE_SECONDS, IfNoneMatch="*"):
                    return
                held = await self._read()
                if held is None:
                    continue  # given up meanwhile
                # Lambda retries the event of a dead invocation under the same request id, which is the run's id.
                is_ours = held["run"] == self._run_id
                if not is_ours and held["expires"] > datetime.now(UTC):
                    self._refuse(held["run"], held["expires"], first=first)
                    return
                if await self._put(LEASE_SECONDS, IfMatch=held["etag"]):
                    return
            raise LeaseHeldError("other runs of these parameters begin at the same time")
        except (ClientError, BotoCoreError) as error:
            # A second run at the same time costs work; no run at all costs files.
            self._logger.warning("lease_unavailable", extra={"error": str(error)})

    def _refuse(self, run_id: str, expires: datetime, *, first: bool) -> None:
        if first:
            seconds = max(1, round((expires - datetime.now(UTC)).total_seconds()))
            raise LeaseHeldError(
                f"run {run_id} of the same parameters is under way; "
                f"if it has died, its lease ends in {seconds} s: invoke again then"
            )
        self._logger.warning("lease_lost", extra={"run": run_id})

    async def _keep_renewing(self, over: asyncio.Event) -> None:
        while self._etag:
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), RENEWAL_SECONDS)
                return
            await self._renew(LEASE_SECONDS)

    async def _renew(self, seconds: float) -> None:
        try:
            if self._etag is None or await self._put(seconds, IfMatch=self._etag):
                return
            held = await self._read()
            self._etag = held["etag"] if held and held["run"] == self._run_id else None
            if self._etag is None:  # else it was renewed by a request whose response was lost, and which was retried
                self._logger.warning("lease_lost", extra={"run": held and held["run"]})
        except (ClientError, BotoCoreError) as error:
            self._logger.warning("lease_unavailable", extra={"error": str(error)})

    async def _end(self) -> None:
        """Release the lease, or leave it to the run's next invocation."""
        if self.is_handed_over:
            await self._renew(HANDOVER_SECONDS)
        elif self._etag:
            try:
                await self._s3.run(self._s3.client.delete_object, **self._object, IfMatch=self._etag)
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and error.response["Error"].get("Code") in _CONFLICT_CODES:
                    return  # taken by another run, or deleted by a request whose response was lost
                self._logger.warning("lease_unavailable", extra={"error": str(error)})

    async def _put(self, seconds: float, **condition: str) -> bool:
        """Write the lease if the condition holds; return whether it was written."""
        expires = datetime.now(UTC) + timedelta(seconds=seconds)
        body = json.dumps({"run": self._run_id, "expires": expires.isoformat()}).encode()
        options: dict[str, Any] = {**self._object, **condition, "Body": body, "ContentType": "application/json"}
        try:
            response = await self._s3.run(self._s3.client.put_object, **options)
        except ClientError as error:
            if error.response["Error"].get("Code") in _CONFLICT_CODES:
                return False
            raise
        self._etag = response["ETag"]
        return True

    async def _read(self) -> dict[str, Any] | None:
        def read() -> dict[str, Any]:
            response = self._s3.client.get_object(**self._object)
            try:
                held = json.loads(response["Body"].read())
                fields = {"run": str(held["run"]), "expires": datetime.fromisoformat(held["expires"])}
            except (ValueError, KeyError, TypeError):  # not written here: nobody's
                fields = {"run": "", "expires": datetime.min.replace(tzinfo=UTC)}
            return {**fields, "etag": response["ETag"]}

        try:
            return await self._s3.run(read)
        except ClientError as error:
            if error.response["Error"].get("Code") in {"NoSuchKey", "404"}:
                return None
            raise
