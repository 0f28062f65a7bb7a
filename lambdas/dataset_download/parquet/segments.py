"""Segments: the ranges of a Parquet file that hold the selected columns of a row group, in decoding order."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dataset_download.s3.objects import DataFile
from dataset_download.s3.prefetch import Segment

from .metadata import Footer

SEGMENT_BYTES = 4 * 1024 * 1024
SMALL_SEGMENT_BYTES = 1024 * 1024
"""Segment size in the first row groups, small so that many connections fetch the first rows in parallel."""
SMALL_GROUPS = 2
FIRST_SEGMENT_BYTES = 512 * 1024
"""Size of the first segment of a large column chunk: rows are available once every column's first page is."""
MIN_SEGMENT_BYTES = 128 * 1024
MERGE_GAP_BYTES = 64 * 1024
"""Gaps up to this size are fetched too, which is cheaper than one more request."""


@dataclass(frozen=True)
class Chunk:
    """The byte range of one column of a row group."""

    start: int
    end: int


def find_chunks(metadata: Footer, row_group: int, columns: Sequence[int]) -> list[Chunk]:
    """Return the chunks of leaf columns, in file order."""
    group = metadata.row_group(row_group)
    chunks = []
    for number in columns:
        column = group.column(number)
        chunks.append(Chunk(column.start, column.start + column.total_compressed_size))
    return sorted(chunks, key=lambda chunk: chunk.start)


def cut_row_group(
    file: DataFile, metadata: Footer, row_group: int, columns: Sequence[int], *, group: int, budget: int
) -> list[Segment]:
    """Return the segments of a row group's selected columns, in the order in which the decoder needs them.

    `group` identifies the row group in calls of `ReadAhead.finish`.
    """
    chunks = find_chunks(metadata, row_group, columns)
    size = _choose_size(len(chunks), budget, SMALL_SEGMENT_BYTES if group < SMALL_GROUPS else SEGMENT_BYTES)
    ranked: list[tuple[float, Segment]] = []
    for run in _merge(chunks, size):
        if len(run) == 1 and run[0].end - run[0].start > size:
            ranked += _cut_chunk(file, run[0], group, size)
            continue
        gaps = sum(after.start - before.end for before, after in pairwise(run))
        start, end = run[0].start, run[-1].end
        ranked.append((0.0, Segment(file, start, end, group, unread=end - start - gaps)))
    # All columns advance at the same pace: bytes at the same fraction of their chunks are needed at the same time.
    ranked.sort(key=lambda pair: pair[0])
    return [segment for _, segment in ranked if segment.end > segment.start]


def _choose_size(chunks: int, budget: int, largest: int) -> int:
    """Return the segment size at which two segments of every column fit into the budget."""
    return min(largest, max(MIN_SEGMENT_BYTES, budget // (2 * max(1, chunks))))


def _merge(chunks: Sequence[Chunk], size: int) -> list[list[Chunk]]:
    """Return neighbouring chunks merged as long as they fit into one segment."""
    runs: list[list[Chunk]] = []
    for chunk in chunks:
        if runs and chunk.start - runs[-1][-1].end <= MERGE_GAP_BYTES and chunk.end - runs[-1][0].start <= size:
            runs[-1].append(chunk)
        else:
            runs.append([chunk])
    return runs


def _cut_chunk(file: DataFile, chunk: Chunk, group: int, size: int) -> list[tuple[float, Segment]]:
    length = chunk.end - chunk.start
    cuts = [chunk.start, *range(chunk.start + min(size, FIRST_SEGMENT_BYTES), chunk.end, size), chunk.end]
    return [((start - chunk.start) / length, Segment(file, start, end, group)) for start, end in pairwise(cuts)]
