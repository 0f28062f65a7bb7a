"""The job table's item as Python values, and what the list of jobs is made of."""

from dataclasses import dataclass
from typing import Any

type Item = dict[str, Any]
"""A job as stored: strings, lists, booleans; numbers are int where whole, else Decimal."""

type Answer = dict[str, Any]
"""The JSON body of an answer."""


@dataclass(frozen=True)
class Position:
    """The job after which the next page of the list starts."""

    created_at: str
    job_id: str


@dataclass(frozen=True)
class Page:
    """What a list request asks for: at most ``limit`` jobs, older than ``after`` and of ``status`` if given."""

    limit: int
    after: Position | None
    status: str | None = None


@dataclass(frozen=True)
class Viewer:
    """Whose jobs a request may see."""

    owner: str
    is_operator: bool = False
    """Whether the caller sees every job."""
    is_shared: bool = False
    """Whether the API tells its callers not apart: all of them own what no owner is recorded for, too."""

    def may_see(self, item: Item) -> bool:
        """Say whether the job is the viewer's to see."""
        owner = item.get("owner")
        return self.is_operator or owner == self.owner or (self.is_shared and owner is None)


@dataclass(frozen=True)
class Filter:
    """Which jobs of an index a list shows; ``None`` does not matter."""

    status: str | None = None
    shared_owner: str | None = None
    """Jobs of this owner, or of none."""


@dataclass(frozen=True)
class Signatures:
    """What a job's objects can be downloaded by; empty texts where there is no such object."""

    archive_url: str = ""
    expires_at: str = ""
    """When the archive's address stops working: ISO 8601, UTC."""
    key_report_url: str = ""
