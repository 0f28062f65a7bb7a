"""The draft of a bundle: its sources are claimed and compressed, and nothing is published yet."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from aws_lambda_powertools import Logger

from data_aggregator.bundle.manifest import Member
from data_aggregator.bundle.publisher import Upload
from data_aggregator.claims.claimer import Claimer
from data_aggregator.core import BundleWriter
from data_aggregator.exceptions import DiskLowError, OutOfTimeError, SourceError, StopBundleError
from data_aggregator.reading.source_reader import SourceReader
from data_aggregator.schemas import Source
from data_aggregator.settings import Settings

from .limits import Limits
from .outcomes import Outcomes

type Contents = list[Member]


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


@dataclass(frozen=True, slots=True)
class DraftWriter:
    """Writes drafts, and records the outcomes of sources that are not in them."""

    settings: Settings
    reader: SourceReader
    claimer: Claimer
    limits: Limits
    outcomes: Outcomes
    logger: Logger

    def write(self, file: BinaryIO, group: Sequence[Source], upload: Upload) -> Draft:
        """Claim sources, compress them into ``file``, and release the claims of those that are not in it."""
        started = time.monotonic()
        mine, outcomes = self.claimer.claim(group, upload)
        self.outcomes.by_id |= outcomes
        writer = BundleWriter(
            file,
            level=self.settings.gzip_level,
            limit=self.settings.max_bundle_input,
            check=partial(self.limits.check, file),
        )
        contents, left = self._fill(writer, mine) if mine else ([], [])
        included = {member.source.id for member in contents}
        # Release before publishing: a claim for a published bundle must mean that the source is in it.
        self.claimer.release([source for source in mine if source.id not in included], upload)
        bundle_bytes = writer.finish()
        return Draft(upload, file, contents, left, writer.offset, bundle_bytes, started)

    def _fill(self, writer: BundleWriter, mine: Sequence[Source]) -> tuple[Contents, list[Source]]:
        """Compress sources; return those in the draft and those for the next bundle."""
        contents: Contents = []
        with self.reader.open(mine, self.limits.check_time) as feed:
            for position, source in enumerate(mine):
                content = feed.contents(source)
                try:
                    cut = writer.add(content)
                except SourceError as error:
                    self.outcomes.note_error(source, error)
                except StopBundleError as stop:
                    return contents, self._stop(stop, mine[position:], is_empty=not contents)
                else:
                    contents.append(Member(source, cut, content.coding, content.decompressed))
        return contents, []

    def _stop(self, stop: StopBundleError, left: Sequence[Source], *, is_empty: bool) -> list[Source]:
        """Return the sources for the next bundle; the messages of the others are returned to the queue."""
        if isinstance(stop, OutOfTimeError) or (isinstance(stop, DiskLowError) and is_empty):
            self.logger.warning("stopped_early", extra={"reason": str(stop), "left": len(left)})
            self.outcomes.note(left, "not_started", str(stop))
            return []
        return list(left)
