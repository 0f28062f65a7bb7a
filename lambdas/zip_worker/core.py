"""From a job to its archive: what is read, how it is named, and in which order it is written."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol

from .archive import ArchiveWriter, Block, BlockRequest, prepare_block
from .exceptions import ErrorCode, LimitExceededError, SourceMissingError
from .faults import make_fault, refuse
from .jobs import Progress
from .layout import End, Layout, Read, choose_layout, plan_steps
from .names import name_members
from .readahead import read_ahead
from .schemas import Job, KeyFault, Source, Survey
from .settings import Settings
from .state import Plan

_OWN_PREFIX = ".zip-jobs/"
"""Where the service keeps its own objects."""


class SourceReader(Protocol):
    """Where the objects to archive are."""

    def read_manifest(self, key: str) -> Iterator[str]:
        """Yield the keys that the manifest object lists."""

    def list_prefix(self, prefix: str) -> Iterator[Source]:
        """Yield every object under ``prefix``."""

    def inspect(self, sources: Sequence[Source]) -> Survey:
        """Return listed sources with what a listing does not tell."""

    def survey(self, keys: Sequence[str]) -> Survey:
        """Find the objects of ``keys``."""

    def probe(self, sources: Sequence[Source]) -> list[KeyFault]:
        """Return which of the surveyed objects cannot be read now."""

    def read_block(self, request: BlockRequest) -> bytes:
        """Return the bytes of one block."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far and how many reads go ahead of their turn."""

    reader: SourceReader
    concurrency: int
    budget: int
    """Bytes."""


def plan_job(job: Job, keys: Sequence[str] | None, reader: SourceReader, settings: Settings) -> Plan:
    """Survey the job's objects, settle their names and lay out the archive.

    Args:
        job: the job.
        keys: the keys of the request itself, as they were sent; ``None`` if there were none.
        reader: the source bucket.
        settings: limits.

    Raises:
        PermanentError: the job cannot be done as it was asked for.
    """
    listed = _listed_keys(job, keys, reader, settings.max_members)
    refuse(job, [make_fault(key, ErrorCode.KEY_NOT_ALLOWED) for key in listed if not _is_allowed(job, key)])
    survey = reader.survey(listed) if listed else Survey([], [])
    if job.prefix is not None:
        known = set(listed)
        more = (
            source
            for source in reader.list_prefix(job.prefix)
            if source.key not in known and _is_allowed(job, source.key)
        )
        found = reader.inspect(_take(more, settings.max_members - len(survey.sources), settings.max_members))
        survey = Survey([*survey.sources, *found.sources], [*survey.faults, *found.faults])
    return _lay_out(job, survey, settings)


def plan_without(job: Job, plan: Plan, faults: Sequence[KeyFault], settings: Settings) -> Plan:
    """Return the plan without the objects that turned out to be unreadable.

    Raises:
        PermanentError: the job does not go on without them, or nothing is left.
    """
    left_out = {fault.key for fault in faults}
    sources = [member.source for member in plan.layout.members if member.source.key not in left_out]
    return _lay_out(job, Survey(sources, [*plan.skipped, *faults]), settings)


def _lay_out(job: Job, survey: Survey, settings: Settings) -> Plan:
    refuse(job, survey.faults)
    members = name_members(survey.sources, job.paths, job.prefix, job.names)
    if not members:
        raise SourceMissingError(_describe_nothing(job, survey), ErrorCode.NOTHING_TO_ARCHIVE, survey.faults)
    layout = choose_layout(
        members,
        job.compression,
        part_size=settings.part_size,
        block_size=settings.block_size,
        copy_threshold=settings.copy_threshold,
        compute_crc=job.compute_crc,
    )
    return Plan(layout, survey.faults)


def _is_allowed(job: Job, key: str) -> bool:
    """Say whether the job's owner may archive a key; the request's own were checked when it came."""
    prefixes = job.allowed_prefixes
    return not key.startswith(_OWN_PREFIX) and (prefixes is None or key.startswith(prefixes))


def write_archive(
    layout: Layout, writer: ArchiveWriter, reading: Reading, progress: Progress, after_step: Callable[[], None]
) -> None:
    """Do the layout's steps that the writer has not done yet, and then its central directory.

    ``after_step`` is called after each step, with which the work can be carried on later, and ends it by raising.
    """
    blocks = _read_blocks(layout, writer.cursor.steps, reading)
    with closing(blocks):
        for step in islice(plan_steps(layout), writer.cursor.steps, None):
            block = None
            if isinstance(step, Read):
                block = next(blocks)
                if step.kept:
                    progress.bytes_streamed += step.length
            writer.do(step, block)
            del block  # what is waited for next must not keep this one alive
            if isinstance(step, End):
                progress.files_done += 1
            after_step()
    writer.finish()


def _read_blocks(layout: Layout, done: int, reading: Reading) -> Generator[Block]:
    compression = layout.compression

    def read(request: BlockRequest) -> Block:
        return prepare_block(request, reading.reader.read_block(request), compression)

    weight = 1 if compression == "stored" else 2  # a block is held twice while it is deflated
    requests = (
        BlockRequest(layout.members[step.index].source, step.start, step.length, step.kept)
        for step in islice(plan_steps(layout), done, None)
        if isinstance(step, Read)
    )
    return read_ahead(
        requests,
        read,
        lambda request: request.length * weight,
        concurrency=reading.concurrency,
        budget=reading.budget,
    )


def _listed_keys(job: Job, keys: Sequence[str] | None, reader: SourceReader, most: int) -> list[str]:
    more = reader.read_manifest(job.manifest_key) if job.manifest_key is not None else iter(())
    return _take(chain(keys or (), more), most, most)


def _take[Item](items: Iterable[Item], room: int, most: int) -> list[Item]:
    taken: list[Item] = []
    for item in items:
        if len(taken) == room:
            raise LimitExceededError(
                f"the job has more than {most} objects, the limit of this deployment (MAX_MEMBERS)"
            )
        taken.append(item)
    return taken


def _describe_nothing(job: Job, survey: Survey) -> str:
    faults = survey.faults
    if faults and len(survey.missing) == len(faults):
        return f"nothing to archive: none of the {len(faults)} objects exists"
    if faults:
        return f"nothing to archive: none of the {len(faults)} objects can be read"
    if survey.sources:
        return "nothing to archive: the list holds no objects but folder markers"
    if job.prefix is not None:
        return f"nothing to archive: no objects under prefix {job.prefix!r} in bucket {job.source_bucket}"
    return f"nothing to archive: manifest {job.manifest_key!r} names no keys"
