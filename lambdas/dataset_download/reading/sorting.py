"""Bounded sorts: of all rows, or of the first rows of a sorted result (top N)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from dataset_download.datasets.partitions import NUMBER
from dataset_download.exceptions import SortTooLargeError
from dataset_download.formats.encoding import find_nested, split_large
from dataset_download.planning.plan import Plan, make_sort_error
from dataset_download.query.conditions import make_plain
from dataset_download.query.parameters import SortKey

NESTED_COPIES = 3
COMPACT_ROWS = 65_536
"""Rows beyond the top N that are collected before the next compaction."""


def sort_rows(batches: Iterable[pa.RecordBatch], plan: Plan) -> Iterator[pa.RecordBatch]:
    """Yield the sorted rows up to the limit; the sort is stable.

    Raises:
        SortTooLargeError: the sort would exceed its limit of rows or memory.
    """
    query, reading = plan.query, plan.reading
    max_rows = None if query.limit is None else query.limit + query.offset
    batches_held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        batches_held.append(batch)
        rows += batch.num_rows
        size += _measure(batch)
        if max_rows is not None and (rows > max_rows + COMPACT_ROWS or size > reading.max_sort_bytes):
            batches_held = list(_sort(batches_held, query.sort, max_rows, plan.dataset.partition_numbers).to_batches())
            rows, size = sum(each.num_rows for each in batches_held), sum(map(_measure, batches_held))
        if rows > reading.max_sort_rows + COMPACT_ROWS or (max_rows is None and rows > reading.max_sort_rows):
            raise make_sort_error(reading.max_sort_rows)
        if size > reading.max_sort_bytes:
            raise SortTooLargeError(
                f"More than {reading.max_sort_bytes} bytes would have to be sorted: limit the result, filter it, "
                "select fewer columns, or leave out sort."
            )
    if batches_held:
        table = _sort(batches_held, query.sort, max_rows, plan.dataset.partition_numbers)
        for batch in table.to_batches(max_chunksize=reading.batch_rows):
            yield from split_large(iter((batch,)), reading.memory.batch)


def _sort(
    batches: list[pa.RecordBatch],
    keys: Sequence[SortKey],
    max_rows: int | None,
    numbers: Collection[str],
) -> pa.Table:
    """Return at most `max_rows` sorted rows, each column in one chunk. Some texts are sorted as numbers.

    The list of batches is emptied.
    """
    table = pa.Table.from_batches(batches)
    batches.clear()
    table = _replace_each(table, lambda column: column.combine_chunks())
    # Generated names, since Arrow interprets some column names as paths.
    by = {
        str(number): _make_sortable(_one_chunk(table.column(key.column)), is_number=key.column in numbers)
        for number, key in enumerate(keys)
    }
    orders = ["descending" if key.descending else "ascending" for key in keys]
    order = pc.sort_indices(pa.table(by), sort_keys=list(zip(by, orders, strict=True)))
    del by
    order = order if max_rows is None else order.slice(0, max_rows)
    return _replace_each(table, lambda column: column.take(order))


def _measure(batch: pa.RecordBatch) -> int:
    """Return the memory that sorting a batch takes; nested columns add the indices of all their values."""
    nested: int = sum(batch.column(number).nbytes for number in find_nested(batch.schema))
    return int(batch.nbytes) + NESTED_COPIES * nested


def _replace_each(table: pa.Table, change: Callable[[pa.ChunkedArray], pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return the table with changed columns; each old column is released before the next is changed."""
    schema = table.schema
    columns = table.columns
    del table
    changed = []
    while columns:
        changed.append(change(columns.pop(0)))
    return pa.Table.from_arrays(changed, schema=schema)


def _make_sortable(column: pa.Array, *, is_number: bool) -> pa.Array:
    return column.cast(NUMBER) if is_number else make_plain(column)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
