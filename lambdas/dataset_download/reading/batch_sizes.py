"""Batch sizes: the number of rows that can be decoded at once within the memory budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataset_download.exceptions import CorruptDatasetError, MemoryLimitError
from dataset_download.parquet.decoded_sizes import LeafPages, describe_leaf
from dataset_download.parquet.segments import MIN_SEGMENT_BYTES, Chunk
from dataset_download.runtime.memory_budget import MIB, Memory

if TYPE_CHECKING:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    from dataset_download.parquet.metadata import ColumnChunk
    from dataset_download.s3.objects import DataFile
    from dataset_download.s3.prefetch import ReadAhead

MAX_BUFFER_BYTES, MIN_BUFFER_BYTES = 256 * 1024, 4 * 1024
"""Bytes of a column that Arrow reads at a time."""
STORED_COPIES = 4
"""Copies of a stored page, one page at a time: fetched, joined, inspected, and in Arrow."""
BUFFERS_BYTES = 8 * 1024 * 1024
"""Read buffers of all columns together."""


def choose_buffer(leaves: int) -> int:
    """Return the read buffer of each of `leaves` columns, in bytes."""
    return max(MIN_BUFFER_BYTES, min(MAX_BUFFER_BYTES, BUFFERS_BYTES // max(1, leaves)))


class BatchSizes:
    """Chooses the batch sizes for some columns of a row group."""

    def __init__(self, file: DataFile, memory: Memory) -> None:
        self._file = file
        self._memory = memory
        self._known = (0, 0)
        """The chosen number of rows, and the row up to which it is valid."""
        self._columns: list[LeafPages] = []
        self._beyond = 0
        """Bytes fetched beyond the read-ahead budget: at least one segment of each column."""

    def add(self, column: pq.ColumnSchema, stored: ColumnChunk, chunk: Chunk, ahead: ReadAhead) -> None:
        """Add a column."""

        def peek(start: int, end: int) -> bytes:
            return ahead.peek(self._file, start, end)

        self._columns.append(LeafPages(describe_leaf(column), stored, (chunk.start, chunk.end), peek))

    def finish(self, chunks: Sequence[Chunk], read_ahead: int) -> None:
        """Add the memory for the fetched segments of the columns' chunks."""
        fetched = sum(min(chunk.end - chunk.start, MIN_SEGMENT_BYTES) for chunk in chunks)
        self._beyond = max(0, fetched - read_ahead)

    def choose(self, first: int, most: int) -> int:
        """Return the number of rows that may be decoded from `first` on, at least one.

        Raises:
            MemoryLimitError: not even one row fits.
            CorruptDatasetError: a page is malformed.
        """
        rows, end = self._known
        if most > rows or first + rows > end:
            try:
                rows = self._find_rows(first, max(1, most))
            except CorruptDatasetError as error:
                raise CorruptDatasetError(f"{self._file.key} cannot be decoded: {error}") from error
            self._known = rows, min((column.find_end(first) for column in self._columns), default=0)
        return min(rows, max(1, most))

    def _find_rows(self, first: int, most: int) -> int:
        rows, is_refined = most, False
        while True:
            expected, worst, pages, largest = self._add_up(first, rows)
            room = self._memory.find_room(pages)
            if worst > room and not is_refined and self._memory.find_room(pages + largest) > 1:
                for column in self._columns:
                    column.refine()
                is_refined = True
                continue
            over = max(expected / self._memory.batch, worst / room)
            if over <= 1 or (rows == 1 and worst <= room):
                return rows
            if rows == 1:
                raise MemoryLimitError(self._explain(first, worst, pages))
            rows = max(1, int(rows / max(over, 2.0)))

    def _explain(self, first: int, worst: int, pages: int) -> str:
        return (
            f"{self._file.key}: row {first + 1} of a row group takes up to {worst / MIB:,.1f} MiB, and its pages "
            f"{pages / MIB:,.1f} MiB: more than this service's memory allows. Select fewer columns, by select=, or "
            "raise the service's memory (MEMORY_MB)."
        )

    def _add_up(self, first: int, rows: int) -> tuple[int, int, int, int]:
        """Return the expected and worst-case bytes of rows, of all their open pages, and of the largest page."""
        bounds = [column.bound(first, rows) for column in self._columns]
        expected, worst, pages, _ = (sum(each) for each in zip(*bounds, strict=True)) if bounds else (0, 0, 0, 0)
        largest = max((each.pages for each in bounds), default=0)
        stored = STORED_COPIES * max((each.stored for each in bounds), default=0)
        return expected, worst, pages + self._beyond + stored, largest
