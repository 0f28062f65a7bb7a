"""The outcomes of the sources of an invocation."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from data_aggregator.exceptions import SourceError, SourceGoneError, SourceRefusedError, SourceSupersededError
from data_aggregator.schemas import Outcome, Result, Source


@dataclass(slots=True)
class Outcomes:
    """What has become of each source so far."""

    by_id: dict[str, Outcome] = field(default_factory=dict)
    """Outcomes by source id."""

    def note(self, sources: Iterable[Source], result: Result, reason: str) -> None:
        """Set the same outcome for several sources."""
        for source in sources:
            self.by_id[source.id] = Outcome(result, reason)

    def note_error(self, source: Source, error: SourceError) -> None:
        """Set the outcome of a source that cannot go into a bundle."""
        result: Result = "failed"
        if isinstance(error, SourceGoneError):
            result = "source_gone"
        elif isinstance(error, SourceSupersededError):
            result = "superseded"
        elif isinstance(error, SourceRefusedError):
            result = "refused"
        self.note([source], result, str(error))

    def select_open(self, group: Iterable[Source]) -> list[Source]:
        """Return the sources without an outcome."""
        return [source for source in group if source.id not in self.by_id]
