"""Data types that the worker's modules share."""

from dataclasses import dataclass, field
from enum import IntEnum
from threading import Lock

from .job_record import Compression, NameStyle, PathMode, Policy


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its record in the table describes it, leased to this worker."""

    job_id: str
    source_bucket: str
    target_bucket: str
    target_key: str
    key_list_key: str | None
    manifest_key: str | None
    prefix: str | None
    paths: PathMode
    on_missing: Policy
    compression: Compression
    attempts: int
    """Number of times that a worker has started on the job, this one included."""
    hops: int = 0
    """Number of hand-overs from one invocation to the next."""
    compute_crc: bool = False
    """Whether large objects whose CRC-32 S3 does not know may be copied and read once for it."""
    names: NameStyle = "portable"
    on_unreadable: Policy = "fail"
    on_changed: Policy = "fail"
    allowed_prefixes: tuple[str, ...] | None = None
    """Every key must begin with one of these; ``None`` allows all keys."""


@dataclass(frozen=True, slots=True)
class Source:
    """An object to archive, as it was at the survey."""

    key: str
    size: int
    """Bytes."""
    etag: str
    modified: int
    """Seconds since the epoch, UTC."""
    crc32: int | None = None
    """Of the whole object, if S3 knows it and the object is large enough to be copied."""


class Placement(IntEnum):
    """How a member's bytes reach the archive."""

    STREAM = 0
    """Through the worker."""
    COPY = 1
    """Inside S3; the CRC-32 is known."""
    COPY_AND_READ = 2
    """Inside S3; the CRC-32 is computed by reading the object."""


@dataclass(frozen=True, slots=True)
class KeyFault:
    """Why an object cannot be archived."""

    key: str
    code: str
    """One of the API's ``ErrorCode``."""
    detail: str
    """The rest of a sentence that begins with the key."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The objects of a job's keys, and the keys that cannot be archived."""

    sources: list[Source]
    faults: list[KeyFault]

    @property
    def missing(self) -> list[str]:
        """Keys of objects that do not exist."""
        return [fault.key for fault in self.faults if fault.code == "object_missing"]


@dataclass(frozen=True, slots=True)
class Member:
    """A source and its name in the archive; a name that ends with ``/`` is a folder."""

    name: str
    source: Source
    placement: Placement = Placement.STREAM


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The finished archive as stored in S3."""

    etag: str
    version_id: str | None
    size: int
    """Bytes."""
    crc32: int


@dataclass(frozen=True, slots=True)
class Archive:
    """A finished archive and its statistics."""

    stored: StoredObject
    files: int
    skipped: list[KeyFault]
    bytes_copied: int = 0
    """Bytes of members that S3 copied."""
    bytes_streamed: int = 0
    """Bytes of members that passed through the worker."""
    has_checkpoint: bool = False
    """Whether a plan and a checkpoint were saved."""
    report_key: str | None = None
    """Key of the object that lists all of ``skipped``, if the list is long."""


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """A range of one source: ``length`` bytes from ``start``."""

    source: Source
    start: int
    length: int
    kept: bool = True
    """Whether its bytes are needed, not only its checksum."""

    @property
    def is_whole(self) -> bool:
        """Whether the block is all of its source."""
        return self.length == self.source.size

    @property
    def is_last(self) -> bool:
        """Whether the block is the end of its source."""
        return self.start + self.length == self.source.size


@dataclass(frozen=True, slots=True)
class CopiedRun:
    """Parts ``first`` to ``last``: the end of one member, copied by S3."""

    first: int
    last: int
    length: int
    """Total bytes."""
    crc32: int
    """Expected for their bytes, from the CRC-32 of the whole member and of its beginning."""
    key: str
    """Of the source, for error messages."""


@dataclass(slots=True)
class Progress:
    """A job's progress; written by the worker, read by its heartbeat."""

    files_total: int = 0
    bytes_total: int = 0
    files_done: int = 0
    bytes_copied: int = 0
    """Bytes of members that S3 copied."""
    bytes_streamed: int = 0
    """Bytes of members that passed through the worker."""
    _lock: Lock = field(default_factory=Lock)

    @property
    def bytes_done(self) -> int:
        """Bytes of members that have reached the archive."""
        return self.bytes_copied + self.bytes_streamed

    def add_copied(self, length: int) -> None:
        """Count a completed copy; called from any thread."""
        with self._lock:
            self.bytes_copied += length
