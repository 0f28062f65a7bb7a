"""The objects that every request needs: settings, dataset store, export store, logger."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError

from .clients import get_s3, get_signed_reader
from .datasets.dataset import Store
from .exports.store import Exports
from .logs import make_logger
from .runtime.result_buffer import ResultCache
from .settings import Settings


@dataclass(frozen=True)
class Service:
    """The objects that all requests of a process share."""

    settings: Settings
    store: Store
    exports: Exports | None
    """None: results that are too large to be streamed are refused."""
    logger: Logger
    results: ResultCache
    """Results that clients read in ranges."""
    buffered: bool = False
    """Whether responses cannot be streamed: each must fit Lambda's limit for a buffered response."""

    @property
    def in_memory_limit(self) -> int:
        """The largest body, in bytes, that is completed in memory before its first byte is sent."""
        if not self.buffered:
            return self.settings.small_answer
        # Base64 turns three bytes into four; the envelope leaves room for headers.
        return (self.settings.buffer_limit - _ENVELOPE) * 3 // 4

    @property
    def stream_limit(self) -> int | None:
        """The largest result, in bytes, that is sent directly; None: unlimited."""
        limits = [self.settings.stream_limit] if self.settings.stream_limit else []
        if self.settings.in_lambda:
            limits.append(_LAMBDA_LIMIT)
        if self.buffered:
            limits.append(self.in_memory_limit)
        return min(limits) if limits else None

    @property
    def buffers_results(self) -> bool:
        """Whether a result is completed before its first byte is sent, so that the limit can be enforced."""
        return self.buffered or self.spool_limit == self.stream_limit

    @property
    def spool_limit(self) -> int:
        """The largest result, in bytes, that is completed before its first byte is sent."""
        return min(_MAX_SPOOL_BYTES, self.stream_limit or _MAX_SPOOL_BYTES)

    def find_transferable_bytes(self, seconds: float) -> float:
        """Return how many bytes can be sent in ``seconds``: Lambda sends 2 MB/s after the first 6 MB."""
        return _FIRST_BYTES + seconds * _BYTES_PER_SECOND if self.settings.in_lambda else inf


_MAX_SPOOL_BYTES = 200 * 1024 * 1024
_FIRST_BYTES, _BYTES_PER_SECOND = 6_000_000, 2_000_000
_ENVELOPE = 64 * 1024
_LAMBDA_LIMIT = 190 * 1024 * 1024
"""Below the 200 MB at which Lambda truncates a streamed response, still with status 200."""


def make_service(variables: Mapping[str, str], *, buffered: bool = False) -> Service:
    """Return the service configured by the environment.

    Raises:
        SettingsError: variables are missing or wrong; the message names all of them.
    """
    settings = Settings.from_environment(variables)
    logger = make_logger("dataset_download")
    logger.setLevel(settings.log_level)
    client = get_s3(path_style=settings.path_style)
    exports = None
    if settings.exports and settings.export_bucket:
        exports = Exports(client, settings.export_bucket, settings.export_prefix)
    signed_reader = get_signed_reader(path_style=settings.path_style)
    # The bucket is resolved during init, since that takes as long as some requests. Requests report a wrong name.
    if signed_reader:
        with suppress(BotoCoreError):
            signed_reader.find(settings.dataset_bucket)
    store = Store(client, settings.dataset_bucket, settings.dataset_prefix, signed_reader, settings.memory.footers)
    return Service(settings, store, exports, logger, ResultCache(), buffered)
