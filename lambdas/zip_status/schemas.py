"""Data types that the modules share: viewers, pages of the list, and signed URLs."""

from dataclasses import dataclass
from typing import Any

from .job_record import JobRecord

type Body = dict[str, Any]
"""The JSON body of a response."""


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

    def may_see(self, record: JobRecord) -> bool:
        """Say whether the job is the viewer's to see."""
        owner = record.get("owner")
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
