"""What every request needs: settings, where the datasets are, where exports go, the logger."""

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
    """The application's parts."""

    settings: Settings
    store: Store
    exports: Exports | None
    """None: answers that are too large to be streamed are refused."""
    logger: Logger
    results: ResultCache
    """Answers that are read in ranges."""
    buffered: bool = False
    """Whether nothing can be streamed: an answer is whole, and within Lambda's limit, or there is none."""

    @property
    def in_memory_limit(self) -> int:
        """The largest body, in bytes, that is finished before its first byte leaves."""
        if not self.buffered:
            return self.settings.small_answer
        # Base64 makes four bytes of three; the rest of the envelope is headers.
        return (self.settings.buffer_limit - _ENVELOPE) * 3 // 4

    @property
    def stream_limit(self) -> int | None:
        """The largest answer, in bytes, that is given directly; None: any."""
        limits = [self.settings.stream_limit] if self.settings.stream_limit else []
        if self.settings.in_lambda:
            limits.append(_LAMBDA_LIMIT)
        if self.buffered:
            limits.append(self.in_memory_limit)
        return min(limits) if limits else None

    @property
    def buffers_results(self) -> bool:
        """Whether an answer is made to its end before its first byte leaves: where there is a limit to hold it by."""
        return self.buffered or self.spool_limit == self.stream_limit

    @property
    def spool_limit(self) -> int:
        """The largest answer, in bytes, that is made to its end before its first byte leaves."""
        return min(_MAX_SPOOL_BYTES, self.stream_limit or _MAX_SPOOL_BYTES)

    def find_transferable_bytes(self, seconds: float) -> float:
        """Return how many bytes can be sent in so many seconds: in Lambda after the first 6 MB 2 MB/s."""
        return _FIRST_BYTES + seconds * _BYTES_PER_SECOND if self.settings.in_lambda else inf


_MAX_SPOOL_BYTES = 200 * 1024 * 1024
_FIRST_BYTES, _BYTES_PER_SECOND = 6_000_000, 2_000_000
_ENVELOPE = 64 * 1024
_LAMBDA_LIMIT = 190 * 1024 * 1024
"""Lambda ends a streamed answer at 200 MB, under 200."""


def make_service(variables: Mapping[str, str], *, buffered: bool = False) -> Service:
    """Return the service that the environment describes.

    Raises:
        SettingsError: variables are missing or wrong; all of them are named.
    """
    settings = Settings.from_environment(variables)
    logger = make_logger("dataset_download")
    logger.setLevel(settings.log_level)
    client = get_s3(path_style=settings.path_style)
    exports = None
    if settings.exports and settings.export_bucket:
        exports = Exports(client, settings.export_bucket, settings.export_prefix)
    signed_reader = get_signed_reader(path_style=settings.path_style)
    # While the function starts: it takes as long as some requests. They will say what is wrong with a name.
    if signed_reader:
        with suppress(BotoCoreError):
            signed_reader.find(settings.dataset_bucket)
    store = Store(client, settings.dataset_bucket, settings.dataset_prefix, signed_reader, settings.memory.footers)
    return Service(settings, store, exports, logger, ResultCache(), buffered)
