"""The loop that reads the plan's blocks ahead and writes the archive step by step."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from zip_worker.archive.layout import End, Layout, Read, plan_steps
from zip_worker.archive.writer import ArchiveWriter, Block, prepare_block
from zip_worker.readahead import read_ahead
from zip_worker.s3.source_reader import SourceReader
from zip_worker.schemas import BlockRequest, Progress


@dataclass(frozen=True, slots=True)
class Reading:
    """The source of the blocks, and the limits of reading ahead."""

    reader: SourceReader
    concurrency: int
    budget: int
    """Bytes."""


def write_archive(
    layout: Layout, writer: ArchiveWriter, reading: Reading, progress: Progress, after_step: Callable[[], None]
) -> None:
    """Perform the layout's steps that the writer has not done yet, then write the central directory.

    ``after_step`` is called after each step, when the work can be interrupted, and interrupts it by raising.
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
            del block  # must not stay in memory while the next one is awaited
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
