"""The records that pass between the worker's modules."""

from dataclasses import dataclass, field
from enum import IntEnum
from threading import Lock

from .job_record import Compression, NameStyle, PathMode, Policy


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
    on_missing: Policy
    compression: Compression
    attempts: int
    """How often a worker has started on the job, this time included."""
    hops: int = 0
    """How often an invocation has handed the job on to the next."""
    compute_crc: bool = False
    """Whether large objects whose CRC-32 S3 does not know may be read once for it, and then be copied."""
    names: NameStyle = "portable"
    on_unreadable: Policy = "fail"
    on_changed: Policy = "fail"
    allowed_prefixes: tuple[str, ...] | None = None
    """What every key begins with one of; ``None`` where all keys are allowed."""


@dataclass(frozen=True, slots=True)
class Source:
    """One object to archive, as it was when the job was surveyed."""

    key: str
    size: int
    """Bytes."""
    etag: str
    modified: int
    """Seconds since the epoch, UTC."""
    crc32: int | None = None
    """Of the whole object, where S3 knows it and the object is large enough for that to matter."""


class Placement(IntEnum):
    """How a member's bytes get into the archive."""

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
    """Of the API's ``ErrorCode``."""
    detail: str
    """The end of a sentence that begins with the key."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a job's keys turned out to be."""

    sources: list[Source]
    faults: list[KeyFault]

    @property
    def missing(self) -> list[str]:
        """Keys of objects that do not exist."""
        return [fault.key for fault in self.faults if fault.code == "object_missing"]


@dataclass(frozen=True, slots=True)
class Member:
    """A source under the name that it has in the archive; a name that ends with ``/`` is a folder."""

    name: str
    source: Source
    placement: Placement = Placement.STREAM


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
    skipped: list[KeyFault]
    bytes_copied: int = 0
    """Bytes of members that S3 copied by itself."""
    bytes_streamed: int = 0
    """Bytes of members that passed through the worker."""
    is_saved: bool = False
    """Whether a plan and a state were kept on the way."""
    report_key: str | None = None
    """Where all of ``skipped`` is listed, if that is long."""


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """A range of one source: ``length`` bytes from ``start``."""

    source: Source
    start: int
    length: int
    kept: bool = True
    """Whether more than its checksum is needed."""

    @property
    def is_whole(self) -> bool:
        """Whether the block is all of its source."""
        return self.length == self.source.size

    @property
    def is_last(self) -> bool:
        """Whether the source ends with the block."""
        return self.start + self.length == self.source.size


@dataclass(frozen=True, slots=True)
class CopiedRun:
    """Parts ``first`` to ``last``, which hold the end of one member, copied by S3."""

    first: int
    last: int
    length: int
    """Bytes of all of them."""
    crc32: int
    """What their bytes must have, since the whole member and its beginning have theirs."""
    key: str
    """Of the source, for messages."""


@dataclass(slots=True)
class Progress:
    """How far a job is; written by the worker, read by its heartbeat."""

    files_total: int = 0
    bytes_total: int = 0
    files_done: int = 0
    bytes_copied: int = 0
    """Bytes of members that S3 copied by itself."""
    bytes_streamed: int = 0
    """Bytes of members that passed through the worker."""
    _lock: Lock = field(default_factory=Lock)

    @property
    def bytes_done(self) -> int:
        """Bytes of members that are in the archive."""
        return self.bytes_copied + self.bytes_streamed

    def add_copied(self, length: int) -> None:
        """Count a copy that has ended, in whichever thread that was."""
        with self._lock:
            self.bytes_copied += length
