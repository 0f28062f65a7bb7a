"""Context that the files of one invocation share."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from aws_lambda_powertools import Logger

from csv_streamer.clients import S3
from csv_streamer.http.session import HttpSession
from csv_streamer.inputs.keys import UniqueKeys
from csv_streamer.inputs.secret_headers import SecretHeaders
from csv_streamer.s3.history import History
from csv_streamer.s3.part_sizes import MIB
from csv_streamer.schemas import FileResult, Task
from csv_streamer.settings import Settings

_MIN_SAMPLE_BYTES = 8 * MIB
"""The duration of smaller files depends on latency, not on the server's throughput."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The invocation's deadlines on the event loop's clock, seconds."""

    started: float
    stop_at: float
    """When downloads stop."""
    uploads_until: float
    """When waiting for uploads in progress ends."""
    cleanup_until: float
    """When waiting for cleanup ends: the response and the handover have priority."""

    @property
    def now(self) -> float:
        """Return the present."""
        return asyncio.get_running_loop().time()


class Speeds:
    """The best speed of each server in this invocation."""

    def __init__(self) -> None:
        self._best: dict[str | None, float] = {}

    def note(self, url: str, size: int, bytes_per_second: float) -> None:
        """Record a file's speed if the file is large enough."""
        if size >= _MIN_SAMPLE_BYTES:
            self._best[_name_host(url)] = max(self._best.get(_name_host(url), 0), bytes_per_second)

    def best(self, url: str) -> float | None:
        """Return the bytes per second of the host's fastest file, None if there is none yet."""
        return self._best.get(_name_host(url))


def _name_host(url: str) -> str | None:
    return urlsplit(url).hostname


@dataclass(slots=True)
class RunContext:
    """Settings, clients and shared state of one invocation."""

    run_id: str

    settings: Settings
    s3: S3
    web: HttpSession
    logger: Logger
    time: datetime
    """Start of the run's first invocation, so that keys do not depend on when a file is finished."""
    clock: Clock
    keys: UniqueKeys
    history: History
    secrets: SecretHeaders
    speeds: Speeds = field(default_factory=Speeds)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file's result and, if it is deferred, the task that is left of it."""

    result: FileResult
    left: Task | None = None
