"""Batches to bytes: several at a time, in order."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa  # type: ignore[import-untyped]

THREADS = min(4, os.cpu_count() or 1)
WAITING = 2 * THREADS
"""Batches that are being encoded or done: enough for decoding not to wait on each."""
LARGEST_BATCH_BYTES = 128 * 1024 * 1024
"""A text column of a batch ends at 2 GB; larger batches are halved first."""

type Encode = Callable[[pa.RecordBatch], bytes]


def encode_batches(batches: Iterator[pa.RecordBatch], encode: Encode) -> Generator[tuple[bytes, int]]:
    """Yield what `encode` makes of each batch, with its number of rows.

    While one is handed out others are encoded; Arrow's kernels run without Python's lock.
    """
    waiting: deque[tuple[Future[bytes], int]] = deque()
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="encode")
    try:
        for batch in split_large(batches):
            waiting.append((threads.submit(encode, batch), batch.num_rows))
            if len(waiting) > WAITING:
                future, rows = waiting.popleft()
                yield future.result(), rows
        while waiting:
            future, rows = waiting.popleft()
            yield future.result(), rows
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def split_large(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches, those that are too large in pieces."""
    for batch in batches:
        pieces = max(1, min(batch.num_rows, -(-batch.nbytes // LARGEST_BATCH_BYTES)))
        rows = -(-batch.num_rows // pieces)
        for start in range(0, batch.num_rows, max(1, rows)):
            yield batch.slice(start, rows) if pieces > 1 else batch
