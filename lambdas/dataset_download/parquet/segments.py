"""Which ranges of a Parquet file hold the wanted columns of a row group, and in which order they are needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dataset_download.s3.objects import DataFile
from dataset_download.s3.prefetch import Segment

from .metadata import Footer

SEGMENT_BYTES = 4 * 1024 * 1024
SMALL_SEGMENT_BYTES = 1024 * 1024
"""Of the first row groups: as many connections as possible bring what the first rows need."""
SMALL_GROUPS = 2
FIRST_SEGMENT_BYTES = 512 * 1024
"""Of a column chunk that takes several: rows come out as soon as the first page of every column is here."""
MIN_SEGMENT_BYTES = 128 * 1024
MERGE_GAP_BYTES = 64 * 1024
"""Bytes that nobody wants are cheaper than one more request."""


@dataclass(frozen=True)
class Chunk:
    """Where one column of one row group is."""

    start: int
    end: int


def find_chunks(metadata: Footer, row_group: int, columns: Sequence[int]) -> list[Chunk]:
    """Return the chunks of Parquet's leaf columns, by their place in the file."""
    group = metadata.row_group(row_group)
    chunks = []
    for number in columns:
        column = group.column(number)
        chunks.append(Chunk(column.start, column.start + column.total_compressed_size))
    return sorted(chunks, key=lambda chunk: chunk.start)


def cut_row_group(
    file: DataFile, metadata: Footer, row_group: int, columns: Sequence[int], *, group: int, budget: int
) -> list[Segment]:
    """Return the segments of a row group's wanted columns, in the order in which decoding needs them.

    `group` is the number under which ReadAhead is told that the row group is done.
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
    # All columns advance at the same pace: what lies at the same fraction of its chunk is needed at the same time.
    ranked.sort(key=lambda pair: pair[0])
    return [segment for _, segment in ranked if segment.end > segment.start]


def _choose_size(chunks: int, budget: int, largest: int) -> int:
    """Return how large segments may be for two of every column to fit into the budget."""
    return min(largest, max(MIN_SEGMENT_BYTES, budget // (2 * max(1, chunks))))


def _merge(chunks: Sequence[Chunk], size: int) -> list[list[Chunk]]:
    """Put neighbouring chunks together while they fit into one segment."""
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
