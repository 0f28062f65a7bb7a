"""What the files of one invocation share, and how many of them are fetched at once."""

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
"""The time that a smaller file takes tells of latency, not of how much a server can send."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The invocation's times, of the event loop's clock, seconds."""

    started: float
    stop_at: float
    """When no more is fetched."""
    uploads_until: float
    """When uploads under way are no longer waited for."""
    cleanup_until: float
    """When what is thrown away is no longer waited for: answering and handing over come first."""

    @property
    def now(self) -> float:
        """Return the present."""
        return asyncio.get_running_loop().time()


class Speeds:
    """How fast each server was at its best, in this invocation."""

    def __init__(self) -> None:
        self._best: dict[str | None, float] = {}

    def note(self, url: str, size: int, bytes_per_second: float) -> None:
        """Remember a file's speed if it was large enough to tell."""
        if size >= _MIN_SAMPLE_BYTES:
            self._best[_name_host(url)] = max(self._best.get(_name_host(url), 0), bytes_per_second)

    def best(self, url: str) -> float | None:
        """Return the bytes a second of the host's fastest file, None if there was none yet."""
        return self._best.get(_name_host(url))


def _name_host(url: str) -> str | None:
    return urlsplit(url).hostname


@dataclass(slots=True)
class RunContext:
    """One invocation's surroundings."""

    run_id: str

    settings: Settings
    s3: S3
    web: HttpSession
    logger: Logger
    time: datetime
    """When the first of the run's invocations began: a file's key does not depend on when it was done."""
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
