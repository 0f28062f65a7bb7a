"""From a job to its archive: what is read, how it is named, and in which order it is written."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from .archive import Block, BlockRequest, block_requests, prepare_block, write_archive
from .exceptions import KeyListError, LimitExceededError, SourceMissingError
from .jobs import Progress
from .names import name_members
from .parts import PartCutter
from .readahead import read_ahead
from .schemas import Archive, Job, Member, Source, StoredObject, Survey
from .settings import MIB, Settings

_MAX_PARTS = 10_000
_LARGEST_PART = 24 * MIB
"""Several parts are in memory at a time; with larger ones they would not fit into 256 MB, bytes."""
_NAMES_SHOWN = 5


class SourceReader(Protocol):
    """Where the objects to archive are."""

    def read_manifest(self, key: str) -> Iterator[str]:
        """Yield the keys that the manifest object lists."""

    def list_prefix(self, prefix: str) -> Iterator[Source]:
        """Yield every object under ``prefix``."""

    def survey(self, keys: Sequence[str]) -> Survey:
        """Find the objects of ``keys``."""

    def read_block(self, request: BlockRequest) -> bytes:
        """Return the bytes of one block."""


class Upload(Protocol):
    """Where the archive goes."""

    def put(self, number: int, data: bytes) -> None:
        """Take part ``number``; parts may come out of order."""

    def complete(self, last_number: int, last_data: bytes) -> StoredObject:
        """Take the last part and make the archive visible."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be archived, under which names, in parts of which size."""

    members: list[Member]
    missing: list[str]
    part_size: int
    """Bytes."""

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(member.source.size for member in self.members)


def plan_job(job: Job, keys: Sequence[str] | None, reader: SourceReader, settings: Settings) -> Plan:
    """Survey the job's objects and settle their names.

    Args:
        job: the job.
        keys: the keys of the request itself, as they were sent; ``None`` if there were none.
        reader: the source bucket.
        settings: limits.

    Raises:
        PermanentError: the job cannot be done as it was asked for.
    """
    listed = _listed_keys(job, keys, reader, settings.max_members)
    survey = reader.survey(listed) if listed else Survey([], [])
    if survey.missing and job.on_missing == "fail":
        raise SourceMissingError(_describe_missing(survey.missing))
    sources = survey.sources
    if job.prefix is not None:
        known = set(listed)
        more = (source for source in reader.list_prefix(job.prefix) if source.key not in known)
        sources = _take(chain(sources, more), settings.max_members)
    members = name_members(sources, job.paths, job.prefix)
    if not members:
        raise KeyListError(_describe_nothing(job, survey.missing))
    return Plan(members, survey.missing, _choose_part_size(members, settings.part_size))


def build_archive(
    job: Job,
    plan: Plan,
    reader: SourceReader,
    upload: Upload,
    settings: Settings,
    progress: Progress,
    check: Callable[[], None],
    before_commit: Callable[[], None],
) -> Archive:
    """Read every member and write the archive.

    ``check`` is called for every block and ends the work by raising; ``before_commit`` right before the archive is
    made visible.
    """
    progress.files_total, progress.bytes_total = len(plan.members), plan.size

    def read(request: BlockRequest) -> Block:
        return prepare_block(request, reader.read_block(request), job.compression)

    def after_block(size: int) -> None:
        progress.bytes_done += size
        check()

    def after_member(_: Member) -> None:
        progress.files_done += 1

    cutter = PartCutter(plan.part_size, upload.put)
    weight = 1 if job.compression == "stored" else 2  # a block is held twice while it is deflated
    blocks = read_ahead(
        block_requests(plan.members, settings.block_size),
        read,
        lambda request: request.length * weight,
        concurrency=settings.read_concurrency,
        budget=settings.read_ahead_bytes,
    )
    with closing(blocks):
        write_archive(
            plan.members,
            blocks,
            cutter,
            block_size=settings.block_size,
            compression=job.compression,
            after_member=after_member,
            after_block=after_block,
        )
    before_commit()
    stored = upload.complete(*cutter.finish())
    return Archive(stored, len(plan.members), plan.missing)


def _listed_keys(job: Job, keys: Sequence[str] | None, reader: SourceReader, most: int) -> list[str]:
    more = reader.read_manifest(job.manifest_key) if job.manifest_key is not None else iter(())
    return _take(chain(keys or (), more), most)


def _take[Item](items: Iterable[Item], most: int) -> list[Item]:
    taken: list[Item] = []
    for item in items:
        if len(taken) == most:
            raise LimitExceededError(
                f"the job has more than {most} objects, the limit of this deployment (MAX_MEMBERS)"
            )
        taken.append(item)
    return taken


def _choose_part_size(members: Sequence[Member], smallest: int) -> int:
    """Return a part size, bytes, with which the archive fits into S3's 10,000 parts."""
    # Headers take at most about 3.3 KB a member: twice a 1,024-byte name that sanitising cannot lengthen, and extras.
    bound = sum(member.source.size + member.source.size // 1000 + 3400 for member in members)
    largest = max(smallest, _LARGEST_PART)
    if bound > largest * _MAX_PARTS:
        most = largest * _MAX_PARTS
        raise LimitExceededError(
            f"the archive would have about {bound} bytes; this worker's limit is {most} (S3_PART_SIZE)"
        )
    needed = math.ceil(bound / _MAX_PARTS / MIB) * MIB
    return max(smallest, needed)


def _describe_missing(missing: Sequence[str]) -> str:
    shown = ", ".join(repr(key) for key in missing[:_NAMES_SHOWN])
    more = f" and {len(missing) - _NAMES_SHOWN} more" if len(missing) > _NAMES_SHOWN else ""
    return f"{len(missing)} of the objects do not exist: {shown}{more}"


def _describe_nothing(job: Job, missing: Sequence[str]) -> str:
    if missing:
        return f"nothing to archive: none of the {len(missing)} objects exists"
    if job.prefix is not None:
        return f"nothing to archive: no objects under prefix {job.prefix!r} in bucket {job.source_bucket}"
    return "nothing to archive: the list holds no objects but folder markers"
