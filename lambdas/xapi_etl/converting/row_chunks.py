"""Chunks of rows: the blocks of one object, converted in threads, joined to at most one INSERT."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, islice
from typing import Protocol

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from xapi_etl.exceptions import LineError
from xapi_etl.reading.lines import BLOCK_BYTES, MAX_LINE_BYTES, MAX_LINES, Lines, LongLine, index_lines, split_blocks
from xapi_etl.schemas import BadLine, Converted, RowChunk, Source

from .tables import unite

_MAX_CHUNK_BYTES = 32 * 1024 * 1024
"""Bytes of lines and rows at which a chunk is complete, however few rows it has."""
_ROW_BYTES = 512
"""Minimum bytes of a row, in addition to its line."""

_AHEAD_BYTES = 8 * BLOCK_BYTES
"""Of lines, beyond those at work: more than a thread converts while rows are written as Parquet."""
_AHEAD_LINES = 2 * MAX_LINES
"""The same, where lines are tiny."""

type _Block = tuple[Lines, Future[Converted]]

type TakeBad = Callable[[list[BadLine]], None]


class LineConverter(Protocol):
    """Turns lines into rows."""

    def convert(self, lines: Lines, source: Source) -> Converted:
        """Return the rows of the lines that make one, and what is wrong with the others."""


def convert_object(
    contents: Iterable[bytes],
    source: Source,
    converter: LineConverter,
    *,
    max_rows: int,
    take_bad: TakeBad,
    max_line_bytes: int = MAX_LINE_BYTES,
    take_dropped: Callable[[Mapping[str, int]], None] | None = None,
) -> Iterator[RowChunk]:
    """Yield an object's rows in chunks of at most ``max_rows``, which depend on the object's bytes only.

    ``take_bad`` is handed the rejected lines, before any chunk that follows them.
    """
    tables: list[pa.Table] = []
    numbers: list[np.ndarray] = []
    waiting, size = 0, 0
    batches = _index_blocks(contents, max_line_bytes, take_bad)
    for lines, converted in _convert_blocks(batches, source, converter):
        if converted.bad:
            take_bad(list(converted.bad))
        if converted.dropped and take_dropped:
            take_dropped(converted.dropped)
        tables.append(converted.table)
        numbers.append(_number_rows(lines, converted))
        waiting += len(converted.table)
        size += len(lines.data) + _ROW_BYTES * len(converted.table)
        while waiting >= max_rows:
            table, of_rows = unite(tables), np.concatenate(numbers)
            yield RowChunk(source, table.slice(0, max_rows), of_rows[:max_rows])
            tables, numbers = [table.slice(max_rows)], [of_rows[max_rows:]]
            waiting -= max_rows
            size = 0
        if size >= _MAX_CHUNK_BYTES and waiting:
            yield RowChunk(source, unite(tables), np.concatenate(numbers))
            tables, numbers, waiting, size = [], [], 0, 0
    if waiting:
        yield RowChunk(source, unite(tables), np.concatenate(numbers))


def _convert_blocks(
    blocks: Iterator[Lines], source: Source, converter: LineConverter
) -> Iterator[tuple[Lines, Converted]]:
    """Convert blocks in ``cpu_count - 1`` threads; the consumer keeps one core to write Parquet.

    The threads run ahead of the consumer. A consumer that would wait converts queued blocks itself.
    """
    processors = os.process_cpu_count() or 1
    concurrency = max(1, processors - 1)
    first = list(islice(blocks, 2))
    if len(first) < 2 or processors == 1:  # noqa: PLR2004  # a thread is worth it from the second block on
        for lines in chain(first, blocks):
            yield lines, converter.convert(lines, source)
        return
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="convert")
    ahead: deque[_Block] = deque()
    try:
        for lines in chain(first, blocks):
            ahead.append((lines, pool.submit(converter.convert, lines, source)))
            while _is_enough(ahead, concurrency):
                yield _pop_first(ahead, converter, source)
        while ahead:
            yield _pop_first(ahead, converter, source)
    finally:
        pool.shutdown(cancel_futures=True)


def _is_enough(ahead: Iterable[_Block], concurrency: int) -> bool:
    size = sum(len(waiting.data) for waiting, _ in ahead)
    lines = sum(len(waiting) for waiting, _ in ahead)
    return size > concurrency * BLOCK_BYTES + _AHEAD_BYTES or lines > concurrency * MAX_LINES + _AHEAD_LINES


def _pop_first(ahead: deque[_Block], converter: LineConverter, source: Source) -> tuple[Lines, Converted]:
    """Return the first block; while it is not ready, convert blocks that no thread has started."""
    lines, future = ahead.popleft()
    for place, (others, later) in enumerate(list(ahead)):
        if future.done():
            break
        if later.cancel():
            ahead[place] = (others, _convert_here(converter, others, source))
    return lines, future.result()


def _convert_here(converter: LineConverter, lines: Lines, source: Source) -> Future[Converted]:
    done = Future[Converted]()
    try:
        done.set_result(converter.convert(lines, source))
    except Exception as error:  # noqa: BLE001  # raised in its turn, when the block is taken out
        done.set_exception(error)
    return done


def _index_blocks(contents: Iterable[bytes], max_line_bytes: int, take_bad: TakeBad) -> Iterator[Lines]:
    number = 1
    for block in split_blocks(contents, max_line_bytes=max_line_bytes):
        if isinstance(block, LongLine):
            error = LineError("too_long", f"a line is longer than {max_line_bytes} bytes: it has {block.size}")
            take_bad([replace(BadLine.cut(number, error, block.beginning), size=block.size)])
            number += 1
            continue
        lines = index_lines(block, number)
        number += len(lines)
        if len(lines):
            yield from lines.slices()


def _number_rows(lines: Lines, converted: Converted) -> np.ndarray:
    numbers = np.arange(lines.first_number, lines.first_number + len(lines), dtype=np.int64)
    if not converted.bad:
        return numbers
    return np.delete(numbers, [line.number - lines.first_number for line in converted.bad])
