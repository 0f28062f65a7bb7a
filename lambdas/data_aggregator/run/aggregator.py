"""The main loop of an invocation: groups of sources become bundles by claim, upload and commit."""

import shutil
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, cast

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from data_aggregator.bundle.manifest import Member, name_bundle, write_manifest
from data_aggregator.bundle.publisher import BundleStore, Upload
from data_aggregator.claims.claimer import Claimer
from data_aggregator.core import BundleWriter
from data_aggregator.exceptions import (
    AggregatorError,
    BundleUncertainError,
    DiskLowError,
    OutOfTimeError,
    SourceError,
    SourceGoneError,
    SourceRefusedError,
    SourceSupersededError,
    StopBundleError,
    UploadAgainError,
)
from data_aggregator.reading.source_reader import BLOCK_SIZE, SourceReader
from data_aggregator.schemas import Outcome, Result, Source
from data_aggregator.settings import Settings

_SPOOL_MEMORY = 8 * 1024 * 1024
_MAX_REPEATS = 2

type Contents = list[Member]


@dataclass(slots=True)
class BatchStats:
    """Totals of the bundles that an invocation has written."""

    bundles: int = 0
    input_bytes: int = 0
    bundle_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """A bundle that is compressed and not yet published; sizes are bytes."""

    upload: Upload
    file: BinaryIO
    contents: Contents
    left: list[Source]
    """Sources that belong in the next bundle."""
    uncompressed_bytes: int
    bundle_bytes: int
    started: float


@dataclass(slots=True)
class Aggregator:
    """Bundles the sources of one invocation."""

    settings: Settings
    reader: SourceReader
    bundles: BundleStore
    claimer: Claimer
    logger: Logger
    request_id: str
    remaining_ms: Callable[[], int]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """Outcomes by source id."""
    tally: BatchStats = field(default_factory=BatchStats)
    repeats: int = 0
    """Number of bundles that S3 required to be uploaded again (409)."""

    def run(self, sources: Iterable[Source]) -> None:
        """Bundle as many sources as time and disk allow, and record an outcome for each."""
        waiting = deque(self._list_bundleable(sources))
        while waiting:
            if self._is_time_up():
                self._note(waiting, "not_started", "the function's time limit was near")
                return
            waiting.extendleft(reversed(self._make_bundle(self._take_group(waiting))))

    def _list_bundleable(self, sources: Iterable[Source]) -> list[Source]:
        """Return the sources, each once, that fit a bundle; the others are refused."""
        limit = self.settings.max_bundle_input
        fitting = []
        for source in {source.id: source for source in sources}.values():
            if source.size <= limit:
                fitting.append(source)
            else:
                reason = f"{source.size} bytes, more than the {limit} of a bundle (MAX_BUNDLE_INPUT_MB)"
                self._note([source], "refused", reason)
        return fitting

    def _take_group(self, waiting: deque[Source]) -> list[Source]:
        """Remove one bundle's sources from ``waiting``, by stored size; ``.gz`` objects grow when they are read."""
        group = [waiting.popleft()]
        total = group[0].size
        while waiting and total + waiting[0].size <= self.settings.max_bundle_input:
            total += waiting[0].size
            group.append(waiting.popleft())
        return group

    def _make_bundle(self, group: Sequence[Source]) -> list[Source]:
        """Write one bundle; return the sources that belong in the next one."""
        bundle = name_bundle(self.request_id, uuid.uuid4().hex[:8], datetime.now(UTC))
        upload: Upload | None = None
        try:
            upload = self.bundles.begin(bundle)
            with tempfile.SpooledTemporaryFile(_SPOOL_MEMORY) as spool:
                draft = self._prepare(cast("BinaryIO", spool), group, upload)
                if draft.contents:
                    self._publish(draft)
        except Exception as error:
            self.logger.exception("bundle_failed", extra={"bundle": bundle, "sources": len(group)})
            return self._recover(group, upload, error)
        if draft.contents:
            self._commit(draft)
        else:
            self._abort(upload)
        return draft.left

    def _recover(self, group: Sequence[Source], upload: Upload | None, error: Exception) -> list[Source]:
        """Clean up after a failed bundle; return the sources to retry immediately."""
        if upload and not isinstance(error, BundleUncertainError):
            self._withdraw(group, upload)
        # Otherwise the claims stay, because the bundle may be visible: a worker that finds them expired checks.
        if isinstance(error, UploadAgainError) and self.repeats < _MAX_REPEATS:
            self.repeats += 1
            return self._open(group)
        self._note(self._open(group), "failed", f"{type(error).__name__}: {error}")
        return []

    def _prepare(self, file: BinaryIO, group: Sequence[Source], upload: Upload) -> Draft:
        """Claim sources and compress them into ``file``."""
        started = time.monotonic()
        mine, outcomes = self.claimer.claim(group, upload)
        self.outcomes |= outcomes
        writer = BundleWriter(
            file,
            level=self.settings.gzip_level,
            limit=self.settings.max_bundle_input,
            check=partial(self._check, file),
        )
        contents, left = self._fill(writer, mine) if mine else ([], [])
        included = {member.source.id for member in contents}
        # Release before publishing: a claim for a published bundle must mean that the source is in it.
        self.claimer.release([source for source in mine if source.id not in included], upload)
        bundle_bytes = writer.finish()
        return Draft(upload, file, contents, left, writer.offset, bundle_bytes, started)

    def _fill(self, writer: BundleWriter, mine: Sequence[Source]) -> tuple[Contents, list[Source]]:
        contents: Contents = []
        with self.reader.open(mine, self._check_time) as feed:
            for position, source in enumerate(mine):
                content = feed.contents(source)
                try:
                    cut = writer.add(content)
                except SourceError as error:
                    self._note_error(source, error)
                except StopBundleError as stop:
                    return contents, self._stop(stop, mine[position:], is_empty=not contents)
                else:
                    contents.append(Member(source, cut, content.coding, content.decompressed))
        return contents, []

    def _stop(self, stop: StopBundleError, left: Sequence[Source], *, is_empty: bool) -> list[Source]:
        """Return the sources for the next bundle; the messages of the others are returned to the queue."""
        if isinstance(stop, OutOfTimeError) or (isinstance(stop, DiskLowError) and is_empty):
            self.logger.warning("stopped_early", extra={"reason": str(stop), "left": len(left)})
            self._note(left, "not_started", str(stop))
            return []
        return list(left)

    def _publish(self, draft: Draft) -> None:
        parts = self.bundles.send(draft.upload, draft.file, draft.bundle_bytes)
        manifest = write_manifest(
            draft.upload.bundle,
            self.request_id,
            draft.contents,
            uncompressed_bytes=draft.uncompressed_bytes,
            bundle_bytes=draft.bundle_bytes,
            bundle_sha256=parts.sha256,
        )
        self.bundles.publish(draft.upload, parts, manifest)

    def _commit(self, draft: Draft) -> None:
        sources = [member.source for member in draft.contents]
        bundle = draft.upload.bundle
        try:
            self.claimer.commit(sources, draft.upload)
        except (ClientError, BotoCoreError, AggregatorError) as error:
            # The sources are bundled. Their messages are redelivered, and the expired claims are committed then.
            self.logger.exception("commit_failed", extra={"bundle": bundle, "sources": len(sources)})
            self._note(sources, "failed", f"bundled, but not committed: {error}")
        else:
            self._note(sources, "bundled", bundle)
        input_bytes = sum(source.size for source in sources)
        self.tally.bundles += 1
        self.tally.input_bytes += input_bytes
        self.tally.bundle_bytes += draft.bundle_bytes
        fields = {
            "bundle": bundle,
            "sources": len(sources),
            "input_bytes": input_bytes,
            "uncompressed_bytes": draft.uncompressed_bytes,
            "bundle_bytes": draft.bundle_bytes,
            "duration_ms": round((time.monotonic() - draft.started) * 1000),
        }
        self.logger.info("bundle_written", extra=fields)

    def _withdraw(self, group: Sequence[Source], upload: Upload) -> None:
        """Remove an unpublished bundle. Claims are released first, since other workers find the upload by them."""
        try:
            self.claimer.release(group, upload)
        except (ClientError, BotoCoreError, AggregatorError):
            self.logger.exception("release_failed", extra={"bundle": upload.bundle, "sources": len(group)})
        self._abort(upload)

    def _abort(self, upload: Upload) -> None:
        # If this fails, a worker that finds the claims aborts the upload, or the bucket's lifecycle rule does.
        with suppress(ClientError, BotoCoreError):
            self.bundles.abort(upload)

    def _open(self, group: Iterable[Source]) -> list[Source]:
        """Return the sources without an outcome."""
        return [source for source in group if source.id not in self.outcomes]

    def _check(self, file: BinaryIO) -> None:
        self._check_time()
        if file.tell() + BLOCK_SIZE > _SPOOL_MEMORY:
            free = shutil.disk_usage(tempfile.gettempdir()).free
            if free < self.settings.disk_reserve:
                raise DiskLowError(f"only {free} bytes are free in the temporary folder")

    def _check_time(self) -> None:
        if self._is_time_up():
            raise OutOfTimeError("the function's time limit is near")

    def _is_time_up(self) -> bool:
        return self.remaining_ms() < self.settings.stop_before_seconds * 1000

    def _note(self, sources: Iterable[Source], result: Result, reason: str) -> None:
        for source in sources:
            self.outcomes[source.id] = Outcome(result, reason)

    def _note_error(self, source: Source, error: SourceError) -> None:
        result: Result = "failed"
        if isinstance(error, SourceGoneError):
            result = "source_gone"
        elif isinstance(error, SourceSupersededError):
            result = "superseded"
        elif isinstance(error, SourceRefusedError):
            result = "refused"
        self._note([source], result, str(error))
