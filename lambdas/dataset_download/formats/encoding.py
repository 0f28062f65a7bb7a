"""Concurrent encoding of batches, in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future

import pyarrow as pa  # type: ignore[import-untyped]

from dataset_download.runtime.thread_pools import Pool, get_pool

WAITING = 2 * Pool.ENCODING.threads
"""Batches being encoded or finished: enough to keep the decoder from waiting on each."""
SLICE_BYTES = 2 * 1024 * 1024
"""In-memory size of the slice encoded at a time; its text may be several times as large."""
VALUE_BYTES = 16

type Encode = Callable[[pa.RecordBatch], bytes]


def encode_batches(
    batches: Iterator[pa.RecordBatch], encode: Encode, window: int = WAITING * SLICE_BYTES
) -> Generator[tuple[bytes, int]]:
    """Yield the encoded bytes of each batch, with its number of rows.

    Other batches are encoded while one is consumed; Arrow's kernels run without the GIL. Batches that exceed `window`
    bytes together are not encoded at the same time.
    """
    waiting: deque[tuple[Future[bytes], int, int]] = deque()
    held = largest = 0
    nested: list[int] | None = None
    pool = get_pool(Pool.ENCODING)
    try:
        for batch in split_large(batches):
            nested = find_nested(batch.schema) if nested is None else nested
            size = measure(batch, nested)
            # The text of a single row may be many times as large as the row, so it is encoded alone.
            room = window if max(size, largest) <= SLICE_BYTES else 0
            while waiting and (len(waiting) > WAITING or held + size > room):
                future, rows, done = waiting.popleft()
                held -= done
                yield future.result(), rows
                del future
            waiting.append((pool.submit(encode, batch), batch.num_rows, size))
            held, largest = held + size, size
            del batch
        while waiting:
            future, rows, _ = waiting.popleft()
            yield future.result(), rows
            del future
    finally:
        for future, _, _ in waiting:
            future.cancel()


def split_large(batches: Iterator[pa.RecordBatch], largest: int = SLICE_BYTES) -> Iterator[pa.RecordBatch]:
    """Yield the batches without dictionaries, too large ones in slices."""
    nested: list[int] | None = None
    for batch in batches:
        if nested is None:
            nested = find_nested(batch.schema)
        yield from _split(expand(batch), largest, nested)


def _split(batch: pa.RecordBatch, largest: int, nested: Sequence[int]) -> Iterator[pa.RecordBatch]:
    if batch.num_rows <= 1 or measure(batch, nested) <= largest:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _split(batch.slice(0, middle), largest, nested)
    yield from _split(batch.slice(middle), largest, nested)


def expand(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with dictionary columns decoded, so that its size is visible."""
    types = batch.schema.types
    if not any(map(pa.types.is_dictionary, types)):
        return batch
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(type_) else column
        for column, type_ in zip(batch.columns, types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def find_nested(schema: pa.Schema) -> list[int]:
    """Return the indices of the nested columns."""
    return [number for number, type_ in enumerate(schema.types) if pa.types.is_nested(type_)]


def measure(batch: pa.RecordBatch, nested: Sequence[int]) -> int:
    """Return the estimated size of a batch, in memory or as text; names in nested columns repeat."""
    size: int = batch.nbytes
    return size + sum(_measure_text(batch.column(number), 0) for number in nested)


def _measure_text(column: pa.Array, around: int) -> int:
    """Return the estimated JSON size of a nested column: its values and the punctuation around them."""
    type_ = column.type
    if not pa.types.is_nested(type_) or pa.types.is_run_end_encoded(type_):
        return len(column) * (around + VALUE_BYTES)
    if pa.types.is_struct(type_):
        fields = [type_.field(number) for number in range(type_.num_fields)]
        children = [column.field(number) for number in range(type_.num_fields)]
        return sum(
            _measure_text(child, around + len(field.name)) for field, child in zip(fields, children, strict=True)
        )
    if pa.types.is_map(type_):
        column = column.cast(pa.list_(pa.struct([type_.key_field, type_.item_field])))
    return _measure_text(column.flatten(), around)
