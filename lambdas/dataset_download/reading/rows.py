"""Rows of a plan as batches: prefetched, decoded, filtered, and cut to offset and limit."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

import pyarrow as pa  # type: ignore[import-untyped]

from dataset_download.datasets.schema_unification import conform, make_null_column
from dataset_download.exceptions import CorruptDatasetError
from dataset_download.parquet.segments import cut_row_group
from dataset_download.planning.plan import Group, Plan
from dataset_download.query.conditions import make_mask
from dataset_download.runtime.cancellation import check_cancelled
from dataset_download.s3.objects import RangeReader
from dataset_download.s3.prefetch import ReadAhead, Segment

from .decoding import DeferredColumns, decode

BATCH_BYTES = 8 * 1024 * 1024
"""Uncompressed size of a batch in Parquet. Rows may be large, so a number of rows alone is not a bound."""
TEXT_BYTES = 16 * 1024 * 1024
MIN_VALUE_BYTES = 8
"""Nulls and repeated values are almost free in Parquet, but not as text, least of all in JSON with many columns."""
MIN_READ_AHEAD_BYTES = 1024 * 1024


class Rows:
    """Reads the rows of a plan in the given columns."""

    def __init__(self, plan: Plan, reader: RangeReader, columns: Sequence[str]) -> None:
        self.plan = plan
        self.reader = reader
        self.columns = tuple(columns)
        footers = sum(footer.serialized_size for footer in plan.dataset.footers)
        memory = plan.reading.memory.without(footers)
        self._memory = memory.during_sort if plan.query.sort else memory
        self.schema = pa.schema([plan.dataset.schema.field(name) for name in columns])
        self._known_leaves: dict[tuple[str, ...], list[int]] = {}
        self._file = -1
        """The file of `_known_leaves`."""

    def iterate(self) -> Generator[pa.RecordBatch]:
        """Yield batches, none of them empty; closing the generator stops all reads.

        Raises:
            SourceError: a file cannot be read, has changed, or cannot be decoded.
        """
        if not self.plan.groups:
            return
        budget = self._choose_budget()
        with closing(ReadAhead(self.reader, self._cut_segments(budget), budget)) as ahead:
            for order, group in enumerate(self.plan.groups):
                check_cancelled()
                yield from self._read_filtered(group, ahead) if group.filters else self._read_all(group, ahead)
                ahead.finish(order)

    def _choose_budget(self) -> int:
        """Return the byte budget of the prefetcher, which is smaller if a limit stops the read early."""
        budget = self.plan.reading.read_ahead_bytes
        needed, rows = self._count_first_rows(), sum(group.rows for group in self.plan.groups)
        if needed is None or needed >= rows:
            return budget
        stored: int = sum(
            self.plan.dataset.footers[each.file].row_group(each.number).total_byte_size for each in self.plan.groups
        )
        return max(MIN_READ_AHEAD_BYTES, min(budget, 2 * stored * needed // rows))

    def _count_first_rows(self) -> int | None:
        """Return the number of rows that will be read, or None if it is uncertain."""
        query = self.plan.query
        if query.limit is None or query.sort or any(group.filters for group in self.plan.groups):
            return None
        return query.offset - self.plan.skipped_rows + query.limit

    def _cut_segments(self, budget: int) -> list[Segment]:
        dataset = self.plan.dataset
        segments: list[Segment] = []
        for order, group in enumerate(self.plan.groups):
            file, footer = dataset.files[group.file], dataset.footers[group.file]
            leaves = self._find_leaves(group, (*_list_filter_columns(group), *self.columns))
            segments += cut_row_group(file, footer, group.number, leaves, group=order, budget=budget)
        return segments

    def _find_leaves(self, group: Group, names: tuple[str, ...]) -> list[int]:
        """Return the indices of the leaf columns in the group's file that hold these columns."""
        if group.file != self._file:
            self._file, self._known_leaves = group.file, {}
        if names not in self._known_leaves:
            footer, partitions = self.plan.dataset.footers[group.file], self.plan.dataset.partition_columns
            stored = {leaf for name in names if name not in partitions for leaf in footer.find_leaves(name)}
            self._known_leaves[names] = sorted(stored)
        return self._known_leaves[names]

    def _read_all(self, group: Group, ahead: ReadAhead) -> Iterator[pa.RecordBatch]:
        for batch in self._decode(group, self.columns, ahead):
            columns = [self._find_column(batch, name, group) for name in self.columns]
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _read_filtered(self, group: Group, ahead: ReadAhead) -> Iterator[pa.RecordBatch]:
        """Decode the filter columns, and the other columns only where rows pass."""
        filter_columns = _list_filter_columns(group)
        others = tuple(name for name in self.columns if name not in filter_columns)
        with closing(DeferredColumns(self._decode(group, others, ahead))) as deferred_columns:
            for batch in self._decode(group, filter_columns, ahead):
                mask = make_mask(
                    [self._find_column(batch, each.column, group) for each in group.filters], group.filters
                )
                if not mask.true_count:
                    deferred_columns.skip(batch.num_rows)
                    continue
                start = 0
                while start < batch.num_rows:
                    # The other columns may come in smaller batches, since their rows are larger.
                    deferred = deferred_columns.take(batch.num_rows - start) if others else batch
                    kept = mask.slice(start, deferred.num_rows)
                    if kept.true_count:
                        yield self._join(batch.slice(start, deferred.num_rows), deferred, kept, group, filter_columns)
                    start += deferred.num_rows

    def _join(
        self,
        batch: pa.RecordBatch,
        deferred: pa.RecordBatch,
        mask: pa.BooleanArray,
        group: Group,
        filter_columns: Sequence[str],
    ) -> pa.RecordBatch:
        """Return the rows that passed, with the filter columns and the other columns."""
        columns = [
            self._find_column(batch if name in filter_columns else deferred, name, group) for name in self.columns
        ]
        joined = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        # All columns at once, so that the mask is turned into row indices only once.
        return joined.filter(mask) if mask.false_count else joined

    def _find_column(self, batch: pa.RecordBatch, name: str, group: Group) -> pa.Array:
        dataset = self.plan.dataset
        if name not in dataset.partition_columns:
            return self._conform(batch, name, group)
        value = dataset.partition_values[group.file][dataset.partition_columns.index(name)]
        return pa.repeat(pa.scalar(value, dataset.schema.field(name).type), batch.num_rows)

    def _conform(self, batch: pa.RecordBatch, name: str, group: Group) -> pa.Array:
        """Return a column in the dataset's type, even if the file has another type or lacks the column."""
        field, index = self.plan.dataset.schema.field(name), batch.schema.get_field_index(name)
        try:
            return make_null_column(batch.num_rows, field) if index < 0 else conform(batch.column(index), field.type)
        except pa.ArrowInvalid as error:
            key = self.plan.dataset.files[group.file].key
            raise CorruptDatasetError(
                f"{key}: a value of {name} cannot be of the type {field.type}: {error}"
            ) from error

    def _decode(self, group: Group, names: tuple[str, ...], ahead: ReadAhead) -> Generator[pa.RecordBatch]:
        """Yield batches of columns; if the file has none of them, batches that only carry a length."""
        size = self._choose_batch_rows(group)
        leaves = self._find_leaves(group, names)
        if leaves:
            memory = self._memory
            yield from decode(self.plan.dataset, group, leaves, size, ahead, memory.half if group.filters else memory)
            return
        for start in range(0, group.rows, size):
            yield pa.RecordBatch.from_arrays([pa.nulls(min(size, group.rows - start))], [""])

    def _choose_batch_rows(self, group: Group) -> int:
        metadata = self.plan.dataset.footers[group.file].row_group(group.number)
        leaves = self._find_leaves(group, (*_list_filter_columns(group), *self.columns))
        stored: int = sum(metadata.column(leaf).total_uncompressed_size for leaf in leaves)
        row_bytes = stored // max(1, group.rows) + 1
        text_bytes = MIN_VALUE_BYTES * len(leaves) + sum(map(len, self.columns)) + 1
        first = self._count_first_rows() or self.plan.reading.batch_rows
        fitting = min(BATCH_BYTES // row_bytes, TEXT_BYTES // text_bytes)
        return max(1, min(self.plan.reading.batch_rows, fitting, first))


def _list_filter_columns(group: Group) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter_.column for filter_ in group.filters))


def cut_rows(batches: Iterator[pa.RecordBatch], offset: int, limit: int | None) -> Iterator[pa.RecordBatch]:
    """Yield the rows within offset and limit; reads no further than needed."""
    remaining = limit
    for batch in batches:
        if remaining == 0:
            return
        if offset >= batch.num_rows:
            offset -= batch.num_rows
            continue
        cut = batch.slice(offset, remaining)
        offset = 0
        if remaining is not None:
            remaining -= cut.num_rows
        yield cut
        if remaining == 0:
            return
