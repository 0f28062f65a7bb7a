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
from xapi_etl.schemas import BadLine, ConvertedLines, RowChunk, Source

from .tables import join_tables

_MAX_CHUNK_BYTES = 32 * 1024 * 1024
"""Bytes of lines and rows at which a chunk is complete, regardless of its number of rows."""
_MIN_ROW_BYTES = 512
"""Minimum bytes of a row, in addition to its line."""

_MAX_QUEUED_BYTES = 8 * BLOCK_BYTES
"""Maximum bytes of queued lines, beyond the blocks in progress: what threads convert during a Parquet write."""
_MAX_QUEUED_LINES = 2 * MAX_LINES
"""Maximum number of queued lines, which is the effective limit for tiny lines."""

type _Block = tuple[Lines, Future[ConvertedLines]]

type OnBadLines = Callable[[list[BadLine]], None]


class LineConverter(Protocol):
    """Turns lines into rows."""

    def convert(self, lines: Lines, source: Source) -> ConvertedLines:
        """Return the rows of the accepted lines, and the bad lines with reasons."""


def convert_object(
    contents: Iterable[bytes],
    source: Source,
    converter: LineConverter,
    *,
    max_rows: int,
    on_bad_lines: OnBadLines,
    max_line_bytes: int = MAX_LINE_BYTES,
    on_dropped_keys: Callable[[Mapping[str, int]], None] | None = None,
) -> Iterator[RowChunk]:
    """Yield an object's rows in chunks of at most ``max_rows``, which depend on the object's bytes only.

    ``on_bad_lines`` receives the rejected lines before any chunk that follows them is yielded.
    """
    tables: list[pa.Table] = []
    numbers: list[np.ndarray] = []
    waiting, size = 0, 0
    batches = _index_blocks(contents, max_line_bytes, on_bad_lines)
    for lines, converted in _convert_blocks(batches, source, converter):
        if converted.bad:
            on_bad_lines(list(converted.bad))
        if converted.dropped and on_dropped_keys:
            on_dropped_keys(converted.dropped)
        tables.append(converted.table)
        numbers.append(_number_rows(lines, converted))
        waiting += len(converted.table)
        size += len(lines.data) + _MIN_ROW_BYTES * len(converted.table)
        while waiting >= max_rows:
            table, of_rows = join_tables(tables), np.concatenate(numbers)
            yield RowChunk(source, table.slice(0, max_rows), of_rows[:max_rows])
            tables, numbers = [table.slice(max_rows)], [of_rows[max_rows:]]
            waiting -= max_rows
            size = 0
        if size >= _MAX_CHUNK_BYTES and waiting:
            yield RowChunk(source, join_tables(tables), np.concatenate(numbers))
            tables, numbers, waiting, size = [], [], 0, 0
    if waiting:
        yield RowChunk(source, join_tables(tables), np.concatenate(numbers))


def _convert_blocks(
    blocks: Iterator[Lines], source: Source, converter: LineConverter
) -> Iterator[tuple[Lines, ConvertedLines]]:
    """Convert blocks in ``cpu_count - 1`` threads; the consumer keeps one core to write Parquet.

    The threads run ahead of the consumer. A consumer that would wait converts queued blocks itself.
    """
    processors = os.process_cpu_count() or 1
    concurrency = max(1, processors - 1)
    first = list(islice(blocks, 2))
    if len(first) < 2 or processors == 1:  # noqa: PLR2004  # a single block is not worth a thread
        for lines in chain(first, blocks):
            yield lines, converter.convert(lines, source)
        return
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="convert")
    ahead: deque[_Block] = deque()
    try:
        for lines in chain(first, blocks):
            ahead.append((lines, pool.submit(converter.convert, lines, source)))
            while _is_queue_full(ahead, concurrency):
                yield _pop_first(ahead, converter, source)
        while ahead:
            yield _pop_first(ahead, converter, source)
    finally:
        pool.shutdown(cancel_futures=True)


def _is_queue_full(ahead: Iterable[_Block], concurrency: int) -> bool:
    size = sum(len(waiting.data) for waiting, _ in ahead)
    lines = sum(len(waiting) for waiting, _ in ahead)
    return size > concurrency * BLOCK_BYTES + _MAX_QUEUED_BYTES or lines > concurrency * MAX_LINES + _MAX_QUEUED_LINES


def _pop_first(ahead: deque[_Block], converter: LineConverter, source: Source) -> tuple[Lines, ConvertedLines]:
    """Return the first block; while it is not ready, convert blocks that no thread has started."""
    lines, future = ahead.popleft()
    for index, (others, later) in enumerate(list(ahead)):
        if future.done():
            break
        if later.cancel():
            ahead[index] = (others, _convert_here(converter, others, source))
    return lines, future.result()


def _convert_here(converter: LineConverter, lines: Lines, source: Source) -> Future[ConvertedLines]:
    done = Future[ConvertedLines]()
    try:
        done.set_result(converter.convert(lines, source))
    except Exception as error:  # noqa: BLE001  # raised when the consumer reaches this block
        done.set_exception(error)
    return done


def _index_blocks(contents: Iterable[bytes], max_line_bytes: int, on_bad_lines: OnBadLines) -> Iterator[Lines]:
    number = 1
    for block in split_blocks(contents, max_line_bytes=max_line_bytes):
        if isinstance(block, LongLine):
            reason = f"the line has {block.size} bytes, more than the {max_line_bytes} of MAX_LINE_BYTES"
            error = LineError("too_long", reason)
            on_bad_lines([replace(BadLine.cut(number, error, block.beginning), size=block.size)])
            number += 1
            continue
        lines = index_lines(block, number)
        number += len(lines)
        if len(lines):
            yield from lines.slices()


def _number_rows(lines: Lines, converted: ConvertedLines) -> np.ndarray:
    numbers = np.arange(lines.first_number, lines.first_number + len(lines), dtype=np.int64)
    if not converted.bad:
        return numbers
    return np.delete(numbers, [line.number - lines.first_number for line in converted.bad])
