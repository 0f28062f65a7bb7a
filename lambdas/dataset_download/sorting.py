"""Sorted answers, within bounds: all rows where they are few, else the first ones."""

from collections.abc import Collection, Iterable, Iterator, Sequence

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from .conditions import make_plain
from .exceptions import SortTooLargeError
from .partitions import NUMBER
from .plan import Plan, make_sort_error
from .query import SortKey

COMPACT_ROWS = 65_536
"""More rows than this above what is kept are sorted out together."""


def sort_rows(batches: Iterable[pa.RecordBatch], plan: Plan) -> Iterator[pa.RecordBatch]:
    """Yield the batches' rows sorted, as far as the limit; rows that compare equal stay in their order.

    Raises:
        SortTooLargeError: too much would have to be held.
    """
    query, reading = plan.query, plan.reading
    wanted = None if query.limit is None else query.limit + query.offset
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if wanted is not None and (rows > wanted + COMPACT_ROWS or size > reading.max_sort_bytes):
            held = _sort(held, query.sort, wanted, plan.dataset.partition_numbers).to_batches()
            rows, size = sum(each.num_rows for each in held), sum(each.nbytes for each in held)
        if rows > reading.max_sort_rows + COMPACT_ROWS or (wanted is None and rows > reading.max_sort_rows):
            raise make_sort_error(reading.max_sort_rows)
        if size > reading.max_sort_bytes:
            raise SortTooLargeError(
                f"More than {reading.max_sort_bytes} bytes would have to be sorted: limit the answer, filter it, "
                "select fewer columns, or leave out sort."
            )
    if held:
        table = _sort(held, query.sort, wanted, plan.dataset.partition_numbers)
        held.clear()
        yield from table.to_batches(max_chunksize=reading.batch_rows)


def _sort(
    batches: Sequence[pa.RecordBatch],
    keys: Sequence[SortKey],
    wanted: int | None,
    numbers: Collection[str],
) -> pa.Table:
    """Return the rows sorted, in columns of one piece each; at most `wanted`. Some texts are sorted as numbers."""
    table = pa.Table.from_batches(batches).combine_chunks()
    # Under names of ours: Arrow takes some names of columns for paths.
    by = {
        str(number): _make_sortable(_one_chunk(table.column(key.column)), is_number=key.column in numbers)
        for number, key in enumerate(keys)
    }
    orders = ["descending" if key.descending else "ascending" for key in keys]
    order = pc.sort_indices(pa.table(by), sort_keys=list(zip(by, orders, strict=True)))
    return table.take(order if wanted is None else order.slice(0, wanted)).combine_chunks()


def _make_sortable(column: pa.Array, *, is_number: bool) -> pa.Array:
    return column.cast(NUMBER) if is_number else make_plain(column)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
