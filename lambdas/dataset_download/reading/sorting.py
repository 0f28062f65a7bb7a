"""Sorted answers, within bounds: all rows where they are few, else the first ones."""

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
"""More rows than this above what is kept are sorted out together."""


def sort_rows(batches: Iterable[pa.RecordBatch], plan: Plan) -> Iterator[pa.RecordBatch]:
    """Yield the batches' rows sorted, as far as the limit; rows that compare equal stay in their order.

    Raises:
        SortTooLargeError: too much would have to be held.
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
                f"More than {reading.max_sort_bytes} bytes would have to be sorted: limit the answer, filter it, "
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
    """Return the rows sorted, in columns of one piece each; at most `wanted`. Some texts are sorted as numbers.

    The batches are taken out of the list.
    """
    table = pa.Table.from_batches(batches)
    batches.clear()
    table = _replace_each(table, lambda column: column.combine_chunks())
    # Under names of ours: Arrow takes some names of columns for paths.
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
    """Return what sorting a batch takes: of nested columns also the places of all their values."""
    nested: int = sum(batch.column(number).nbytes for number in find_nested(batch.schema))
    return int(batch.nbytes) + NESTED_COPIES * nested


def _replace_each(table: pa.Table, change: Callable[[pa.ChunkedArray], pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return the table with changed columns; each is let go before the next is changed, so that few are held twice."""
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
