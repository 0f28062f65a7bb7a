"""What the files of one invocation share, and how many of them are fetched at once."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import aiohttp
from aws_lambda_powertools import Logger

from .clients import S3
from .history import History
from .names import KeyClaims
from .schemas import FileResult, Task
from .secret_headers import SecretHeaders
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Clock:
    """The invocation's times, of the event loop's clock, seconds."""

    started: float
    stop_at: float
    """When no more is fetched."""
    settle_until: float
    """When uploads under way are no longer waited for."""

    @property
    def now(self) -> float:
        """Return the present."""
        return asyncio.get_running_loop().time()


@dataclass(slots=True)
class Run:
    """One invocation's surroundings."""

    settings: Settings
    s3: S3
    session: aiohttp.ClientSession
    logger: Logger
    time: datetime
    """When the first of the run's invocations began: a file's key does not depend on when it was done."""
    clock: Clock
    claims: KeyClaims
    history: History
    secrets: SecretHeaders
    best_speed: float = 0.0
    """Bytes a second of the fastest file so far."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file's result and, if it is deferred, the task that is left of it."""

    result: FileResult
    left: Task | None = None
