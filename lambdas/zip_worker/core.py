"""From a job to its archive: what is read, how it is named, and in which order it is written."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol

from .archive import ArchiveWriter, Block, BlockRequest, prepare_block
from .exceptions import KeyListError, LimitExceededError, SourceMissingError
from .jobs import Progress
from .layout import End, Layout, Read, choose_layout, plan_steps
from .names import name_members
from .readahead import read_ahead
from .schemas import Job, Source, Survey
from .settings import Settings
from .state import Plan

_NAMES_SHOWN = 5


class SourceReader(Protocol):
    """Where the objects to archive are."""

    def read_manifest(self, key: str) -> Iterator[str]:
        """Yield the keys that the manifest object lists."""

    def list_prefix(self, prefix: str) -> Iterator[Source]:
        """Yield every object under ``prefix``."""

    def inspect(self, sources: Sequence[Source]) -> list[Source]:
        """Return listed sources with what a listing does not tell."""

    def survey(self, keys: Sequence[str]) -> Survey:
        """Find the objects of ``keys``."""

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
    survey = reader.survey(listed) if listed else Survey([], [])
    if survey.missing and job.on_missing == "fail":
        raise SourceMissingError(_describe_missing(survey.missing))
    sources = survey.sources
    if job.prefix is not None:
        known = set(listed)
        more = (source for source in reader.list_prefix(job.prefix) if source.key not in known)
        found = _take(more, settings.max_members - len(sources), settings.max_members)
        sources = [*sources, *reader.inspect(found)]
    members = name_members(sources, job.paths, job.prefix)
    if not members:
        raise KeyListError(_describe_nothing(job, survey.missing))
    layout = choose_layout(
        members,
        job.compression,
        part_size=settings.part_size,
        block_size=settings.block_size,
        copy_threshold=settings.copy_threshold,
        compute_crc=job.compute_crc,
    )
    return Plan(layout, survey.missing)


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
