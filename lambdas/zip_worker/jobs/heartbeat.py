"""The heartbeat: renews the lease, keeps the message invisible and publishes progress while a worker runs."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from zip_worker.exceptions import JobCancelledError, LeaseLostError
from zip_worker.schemas import Progress

from .table import JobTable

_PROGRESS_SECONDS = 2.0


class Heartbeat:
    """Renews the job's lease, keeps its message invisible and publishes progress, in a separate thread.

    ``check`` raises in the working thread once the job is no longer this worker's: its owner cancelled it, or another
    worker took the lease after this one missed its heartbeats.
    """

    def __init__(
        self, jobs: JobTable, job_id: str, change_visibility: Callable[[int], None], lease_seconds: int
    ) -> None:
        self.progress = Progress()
        self._jobs = jobs
        self._job_id = job_id
        self._change_visibility = change_visibility
        self._lease_seconds = lease_seconds
        self._interval = min(_PROGRESS_SECONDS, lease_seconds / 3)
        self._stop = threading.Event()
        self._held_until = time.monotonic() + lease_seconds
        self._lost: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._extend_visibility()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raise if the job is no longer this worker's.

        Raises:
            JobCancelledError: it was cancelled.
            LeaseLostError: another worker holds the job, or may hold it by now.
        """
        if self._lost:
            raise self._lost
        if time.monotonic() > self._held_until:
            raise LeaseLostError(f"the lease on job {self._job_id} ran out before it could be renewed")

    def renew(self) -> None:
        """Renew the lease now, before a step that needs a fresh one; raise as :meth:`check` does."""
        started = time.monotonic()
        if self._jobs.renew(self._job_id, self.progress):
            self._held_until = started + self._lease_seconds
        elif self._jobs.status(self._job_id) == "CANCELLED":
            self._lost = JobCancelledError(f"job {self._job_id} was cancelled")
        else:
            self._lost = LeaseLostError(f"job {self._job_id} is no longer leased to this worker")
        self.check()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            # The next beat makes up for a failed one; if all fail, the lease expires and `check` raises.
            with suppress(ClientError, BotoCoreError):
                try:
                    self.renew()
                except (JobCancelledError, LeaseLostError):
                    return
                self._extend_visibility()

    def _extend_visibility(self) -> None:
        """Keep the message invisible for longer than the lease, so that its next receiver finds the job free.

        A worker may die between a renewal and this call: one more interval covers that. Receiving a message whose job
        is still leased would waste one of its few receives.
        """
        self._change_visibility(math.ceil(self._lease_seconds + self._interval) + 1)
