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
    """The parameters of a list request: at most ``limit`` jobs, older than ``after`` and of ``status`` if given."""

    limit: int
    after: Position | None
    status: str | None = None


@dataclass(frozen=True)
class Viewer:
    """The caller of a request, by the jobs that it may see."""

    owner: str
    is_operator: bool = False
    """Whether the caller sees every job."""
    is_shared: bool = False
    """Whether the API has no authorization: its callers are one owner, who also owns jobs without an owner."""

    def may_see(self, record: JobRecord) -> bool:
        """Return whether the viewer may see the job."""
        owner = record.get("owner")
        return self.is_operator or owner == self.owner or (self.is_shared and owner is None)


@dataclass(frozen=True)
class Filter:
    """The filter of a list; ``None`` matches every job."""

    status: str | None = None
    shared_owner: str | None = None
    """Matches jobs of this owner, and jobs without an owner."""


@dataclass(frozen=True)
class Signatures:
    """Presigned URLs of a job's objects; empty strings if there is no such object."""

    archive_url: str = ""
    expires_at: str = ""
    """Expiry of the archive's URL: ISO 8601, UTC."""
    key_report_url: str = ""
