"""The rows of one INSERT, from one or more objects, as Parquet."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from xapi_etl.converting.tables import join_tables
from xapi_etl.converting.transforms import find_months
from xapi_etl.schemas import RowChunk, Source

from .parquet import write_parquet

MAX_PARTITIONS = 100
"""ClickHouse's default limit of an INSERT. Source: setting ``max_partitions_per_insert_block``."""
_WHOLE_MONTH_MS = 31 * 86_400_000


@dataclass(frozen=True, slots=True)
class InsertBatch:
    """One INSERT."""

    parquet: bytes
    sources: tuple[Source, ...]
    """Sorted by URL, so that the same objects give the same batch whatever order they arrive in."""
    owners: np.ndarray
    """The position in ``sources`` of each row's source."""
    lines: np.ndarray
    """The line number of each row."""
    times: tuple[int, int] | None
    """Earliest and latest time of the partition column, milliseconds since 1970, if the table is partitioned."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def token(self) -> str:
        """Return the deduplication token, a SHA-256 of the objects, their ETags and the line numbers."""
        digest = hashlib.sha256()
        for position, lines in self.members():
            source = self.sources[position]
            for text in (source.file.encode(), source.etag.encode(), lines.astype("<i8").tobytes()):
                digest.update(len(text).to_bytes(8, "little") + text)
        return digest.hexdigest()

    def members(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each source's position and lines."""
        for position in range(len(self.sources)):
            lines = self.lines[self.owners == position]
            if len(lines):
                yield position, lines

    def read(self, columns: Sequence[str]) -> list[list[Any]]:
        """Return the values of some columns."""
        table = pq.ParquetFile(io.BytesIO(self.parquet)).read(list(columns))
        return [table.column(name).to_pylist() for name in columns]

    def count_repeated(self, key: str, line_hash: str, sent: np.ndarray) -> int:
        """Return how many of the sent rows repeat a statement of another sent row."""
        table = pq.ParquetFile(io.BytesIO(self.parquet)).read([key, line_hash]).filter(pa.array(sent))
        keys = pc.fill_null(table.column(key), "")
        has_key = pc.not_equal(keys, "")
        statements = pc.count_distinct(keys.filter(has_key)).as_py()
        lines = pc.count_distinct(table.column(line_hash).filter(pc.invert(has_key))).as_py()
        return len(table) - int(statements) - int(lines)

    def keep(self, mask: np.ndarray, compression: str) -> InsertBatch:
        """Return the batch with only some of its rows."""
        table = pq.ParquetFile(io.BytesIO(self.parquet)).read().filter(pa.array(mask))
        parquet = write_parquet(table, compression)
        return InsertBatch(parquet, self.sources, self.owners[mask], self.lines[mask], self.times)


def make_insert_batches(
    chunks: Sequence[RowChunk], *, compression: str, max_bytes: int, partition_column: str | None = None
) -> Iterator[InsertBatch]:
    """Encode rows in as few batches as the limits of an INSERT allow; the same rows always give the same batches."""
    ordered = sorted(chunks, key=lambda chunk: (chunk.source.file, chunk.source.etag, chunk.lines[0]))
    table = join_tables([chunk.table for chunk in ordered])
    sources = tuple(dict.fromkeys(chunk.source for chunk in ordered))
    positions = {source: position for position, source in enumerate(sources)}
    owners = np.concatenate([np.full(len(chunk.table), positions[chunk.source]) for chunk in ordered])
    lines = np.concatenate([np.asarray(chunk.lines, np.int64) for chunk in ordered])
    months = None if partition_column is None else find_months(table.column(partition_column))
    for rows in _split_by_months(months, len(table)):
        some = table if len(rows) == len(table) else _copy_views(table).take(pa.array(rows))
        span = None
        if months is not None and len(rows):
            span = (_month_start(months[rows].min()), _month_start(months[rows].max()) + _WHOLE_MONTH_MS)
        yield from _encode(some, InsertBatch(b"", sources, owners[rows], lines[rows], span), compression, max_bytes)


def make_insert_batch(
    chunks: Sequence[RowChunk], *, compression: str, partition_column: str | None = None
) -> InsertBatch:
    """Encode rows as the single batch that :func:`make_insert_batches` once made of them."""
    (batch,) = make_insert_batches(
        chunks, compression=compression, max_bytes=sys.maxsize, partition_column=partition_column
    )
    return batch


def keep_lines(chunk: RowChunk, wanted: np.ndarray) -> RowChunk:
    """Return a chunk with only some of its lines."""
    mask = np.isin(chunk.lines, wanted)
    if mask.all():
        return chunk
    return RowChunk(chunk.source, _copy_views(chunk.table).filter(pa.array(mask)), np.asarray(chunk.lines)[mask])


def _split_by_months(months: np.ndarray | None, length: int) -> Iterator[np.ndarray]:
    """Yield the positions of rows, grouped so that no group touches too many partitions."""
    if months is None or len(distinct := np.unique(months)) <= MAX_PARTITIONS:
        yield np.arange(length)
        return
    for start in range(0, len(distinct), MAX_PARTITIONS):
        yield np.flatnonzero(np.isin(months, distinct[start : start + MAX_PARTITIONS]))


def _encode(table: pa.Table, batch: InsertBatch, compression: str, max_bytes: int) -> Iterator[InsertBatch]:
    parquet = write_parquet(table, compression)
    if len(parquet) <= max_bytes or len(table) == 1:
        yield InsertBatch(parquet, batch.sources, batch.owners, batch.lines, batch.times)
        return
    del parquet
    middle = len(table) // 2
    for start, end in ((0, middle), (middle, len(table))):
        half = InsertBatch(b"", batch.sources, batch.owners[start:end], batch.lines[start:end], batch.times)
        yield from _encode(table.slice(start, end - start), half, compression, max_bytes)


def _copy_views(table: pa.Table) -> pa.Table:
    """Return the table with strings in place of string views, which Arrow cannot filter."""
    kinds = [pa.string() if pa.types.is_string_view(kind) else kind for kind in table.schema.types]
    return table.cast(pa.schema(zip(table.schema.names, kinds, strict=True)))


def _month_start(month: np.integer) -> int:
    return int(np.datetime64(int(month), "M").astype("datetime64[ms]").astype(np.int64))
