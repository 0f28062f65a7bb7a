"""The records that pass between the worker's modules."""

from dataclasses import dataclass
from typing import Literal

PathMode = Literal["basename", "relative", "full"]
OnMissing = Literal["fail", "skip"]
Compression = Literal["stored", "deflated"]


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its table item describes it, leased to this worker."""

    job_id: str
    source_bucket: str
    target_bucket: str
    target_key: str
    key_list_key: str | None
    manifest_key: str | None
    prefix: str | None
    paths: PathMode
    on_missing: OnMissing
    compression: Compression
    attempts: int
    """How often a worker has started on the job, this time included."""


@dataclass(frozen=True, slots=True)
class Source:
    """One object to archive, as it was when the job was surveyed."""

    key: str
    size: int
    """Bytes."""
    etag: str
    modified: int
    """Seconds since the epoch, UTC."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a job's keys turned out to be."""

    sources: list[Source]
    missing: list[str]


@dataclass(frozen=True, slots=True)
class Member:
    """A source under the name that it has in the archive; a name that ends with ``/`` is a folder."""

    name: str
    source: Source


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The finished archive as S3 knows it."""

    etag: str
    version_id: str | None
    size: int
    """Bytes."""
    crc32: int


@dataclass(frozen=True, slots=True)
class Archive:
    """A finished archive and what went into it."""

    stored: StoredObject
    files: int
    missing: list[str]
