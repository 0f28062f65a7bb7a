"""The rows that a plan asks for, batch by batch: read ahead, decoded, filtered, cut to offset and limit."""

import io
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from .columns import locate_leaves
from .conditions import make_mask
from .exceptions import CorruptDatasetError
from .objects import DataFile, RangeReader
from .plan import Group, Plan
from .readahead import ReadAhead, Segment
from .segments import cut_row_group

BATCH_BYTES = 8 * 1024 * 1024
"""Of a batch as Parquet stores it uncompressed: rows may be large, so a number of rows is no bound."""
LEAST_AHEAD_BYTES = 1024 * 1024
STREAM_BYTES = 256 * 1024
"""How much of a column Arrow asks for at a time."""


class RemoteFile(io.RawIOBase):
    """A Parquet file as Arrow reads it, served from the read-ahead."""

    def __init__(self, ahead: ReadAhead, file: DataFile) -> None:
        super().__init__()
        self._ahead = ahead
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, and return the new position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, fewer only at the end."""
        end = self._file.size if size is None or size < 0 else min(self._file.size, self._position + size)
        if end <= self._position:
            return b""
        data = self._ahead.read(self._file, self._position, end)
        self._position = end
        return data


@dataclass(frozen=True)
class Rows:
    """Reads a plan's rows."""

    plan: Plan
    reader: RangeReader
    columns: tuple[str, ...]
    """Wanted of each row, in this order."""

    def iterate(self) -> Generator[pa.RecordBatch]:
        """Yield batches, none of them empty; closing the generator ends all reading.

        Raises:
            SourceError: a file cannot be read, has changed, or cannot be decoded.
        """
        if not self.plan.groups:
            return
        budget = self._choose_budget()
        ahead = ReadAhead(self.reader, self._cut_segments(budget), budget)
        try:
            for order, group in enumerate(self.plan.groups):
                yield from self._read_group(group, ahead)
                ahead.finish(order)
        finally:
            ahead.close()

    def _choose_budget(self) -> int:
        """Return how many bytes to read ahead: less where a limit ends the reading early."""
        budget = self.plan.reading.read_ahead_bytes
        needed, rows = self._count_first_rows(), sum(group.rows for group in self.plan.groups)
        if needed is None or needed >= rows:
            return budget
        stored: int = sum(
            self.plan.dataset.footers[each.file].row_group(each.number).total_byte_size for each in self.plan.groups
        )
        return max(LEAST_AHEAD_BYTES, min(budget, 2 * stored * needed // rows))

    def _count_first_rows(self) -> int | None:
        """Return how many of the rows will be looked at, where that is certain."""
        query = self.plan.query
        if query.limit is None or query.sort or any(group.filters for group in self.plan.groups):
            return None
        return query.offset - self.plan.skipped_rows + query.limit

    def _cut_segments(self, budget: int) -> list[Segment]:
        dataset = self.plan.dataset
        segments: list[Segment] = []
        for order, group in enumerate(self.plan.groups):
            file, footer = dataset.files[group.file], dataset.footers[group.file]
            segments += cut_row_group(file, footer, group.number, self._leaves(group), group=order, budget=budget)
        return segments

    def _stored_columns(self, group: Group) -> list[int]:
        """Return the columns to decode, by their place in the file."""
        wanted = {*self.columns, *(filter_.column for filter_ in group.filters)}
        stored = [name for name in self._file_columns if name in wanted]
        return [self.plan.dataset.schema.names.index(name) for name in stored]

    def _leaves(self, group: Group) -> list[int]:
        return locate_leaves(self.plan.dataset.schema, self._stored_columns(group))

    @cached_property
    def _file_columns(self) -> list[str]:
        partitions = self.plan.dataset.partition_columns
        return [name for name in self.plan.dataset.schema.names if name not in partitions]

    def _read_group(self, group: Group, ahead: ReadAhead) -> Iterator[pa.RecordBatch]:
        for batch in self._decode(group, ahead):
            columns = {name: self._find_column(batch, name, group) for name in self._names(group)}
            if group.filters:
                mask = make_mask([columns[each.column] for each in group.filters], group.filters)
                kept = mask.true_count
                if not kept:
                    continue
                if kept < len(mask):
                    columns = {name: columns[name].filter(mask) for name in self.columns}
            schema = pa.schema([self.plan.dataset.schema.field(name) for name in self.columns])
            yield pa.RecordBatch.from_arrays([columns[name] for name in self.columns], schema=schema)

    def _names(self, group: Group) -> list[str]:
        return list(dict.fromkeys([*self.columns, *(filter_.column for filter_ in group.filters)]))

    def _find_column(self, batch: pa.RecordBatch | int, name: str, group: Group) -> pa.Array:
        dataset = self.plan.dataset
        if name not in dataset.partition_columns and isinstance(batch, pa.RecordBatch):
            return batch.column(batch.schema.get_field_index(name))
        value = dataset.partition_values[group.file][dataset.partition_columns.index(name)]
        rows = batch if isinstance(batch, int) else batch.num_rows
        return pa.repeat(pa.scalar(value, dataset.schema.field(name).type), rows)

    def _decode(self, group: Group, ahead: ReadAhead) -> Iterator[pa.RecordBatch | int]:
        """Yield batches; mere numbers of rows where no stored column is wanted."""
        dataset = self.plan.dataset
        leaves = self._leaves(group)
        size = self._choose_batch_rows(group, leaves)
        if not leaves:
            yield from (min(size, group.rows - start) for start in range(0, group.rows, size))
            return
        file = dataset.files[group.file]
        rows = 0
        try:
            # A pre-buffered read would hold whole row groups; this one asks for pages as it goes.
            opened = pq.ParquetFile(
                RemoteFile(ahead, file),
                metadata=dataset.footers[group.file],
                buffer_size=STREAM_BYTES,
                pre_buffer=False,
            )
            for batch in opened.reader.iter_batches(
                size, row_groups=[group.number], column_indices=leaves, use_threads=False
            ):
                rows += batch.num_rows
                if batch.num_rows:
                    yield batch
        except (pa.ArrowException, OSError) as error:
            raise CorruptDatasetError(f"{file.key} cannot be decoded (row group {group.number}): {error}") from error
        if rows != group.rows:
            raise CorruptDatasetError(f"{file.key}: row group {group.number} has {rows} rows instead of {group.rows}")

    def _choose_batch_rows(self, group: Group, leaves: Sequence[int]) -> int:
        metadata = self.plan.dataset.footers[group.file].row_group(group.number)
        stored: int = sum(metadata.column(leaf).total_uncompressed_size for leaf in leaves)
        row_bytes = stored // max(1, group.rows) + 1
        first = self._count_first_rows() or self.plan.reading.batch_rows
        return max(1, min(self.plan.reading.batch_rows, BATCH_BYTES // row_bytes, first))


def cut_rows(batches: Iterator[pa.RecordBatch], offset: int, limit: int | None) -> Iterator[pa.RecordBatch]:
    """Yield what offset and limit leave; reads no further than needed."""
    left = limit
    for batch in batches:
        if left == 0:
            return
        if offset >= batch.num_rows:
            offset -= batch.num_rows
            continue
        cut = batch.slice(offset, left)
        offset = 0
        if left is not None:
            left -= cut.num_rows
        yield cut
        if left == 0:
            return
