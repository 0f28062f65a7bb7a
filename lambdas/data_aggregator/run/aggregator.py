"""The main loop of an invocation: groups of sources become bundles by claim, upload and commit."""

import tempfile
import time
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, cast

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from data_aggregator.bundle.manifest import name_bundle, write_manifest
from data_aggregator.bundle.publisher import BundleStore, Upload
from data_aggregator.claims.claimer import Claimer
from data_aggregator.exceptions import AggregatorError, BundleUncertainError, UploadAgainError
from data_aggregator.schemas import Source
from data_aggregator.settings import Settings

from .draft import Draft, DraftWriter
from .limits import SPOOL_MEMORY, Limits
from .outcomes import Outcomes

_MAX_REPEATS = 2


@dataclass(slots=True)
class BatchStats:
    """Totals of the bundles that an invocation has written."""

    bundles: int = 0
    input_bytes: int = 0
    bundle_bytes: int = 0


@dataclass(slots=True)
class Aggregator:
    """Bundles the sources of one invocation."""

    settings: Settings
    drafts: DraftWriter
    bundles: BundleStore
    claimer: Claimer
    limits: Limits
    outcomes: Outcomes
    logger: Logger
    request_id: str
    tally: BatchStats = field(default_factory=BatchStats)
    repeats: int = 0
    """Number of bundles that S3 required to be uploaded again (409)."""

    def run(self, sources: Iterable[Source]) -> None:
        """Bundle as many sources as time and disk allow, and record an outcome for each."""
        waiting = deque(self._list_bundleable(sources))
        while waiting:
            if self.limits.is_time_up():
                self.outcomes.note(waiting, "not_started", "the function's time limit was near")
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
                self.outcomes.note([source], "refused", reason)
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
            with tempfile.SpooledTemporaryFile(SPOOL_MEMORY) as spool:
                draft = self.drafts.write(cast("BinaryIO", spool), group, upload)
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
            return self.outcomes.select_open(group)
        self.outcomes.note(self.outcomes.select_open(group), "failed", f"{type(error).__name__}: {error}")
        return []

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
            self.outcomes.note(sources, "failed", f"bundled, but not committed: {error}")
        else:
            self.outcomes.note(sources, "bundled", bundle)
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
