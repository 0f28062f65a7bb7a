"""Parquet encoder: one file with the source's schema, written batch by batch."""

import io
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing
from itertools import chain, islice

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from dataset_download.exceptions import CorruptDatasetError
from dataset_download.parquet.metadata import MARKER_BYTES, Footer, read_layout
from dataset_download.query.columns import has_empty_structure, locate_leaves
from dataset_download.query.conditions import make_plain
from dataset_download.runtime.thread_pools import Pool, get_pool

from .encoding import expand
from .logical_types import Annotations, annotate, has_unordered, list_ordered

GROUP_ROWS = 122_880
GROUP_BYTES = 16 * 1024 * 1024
"""Limits of a row group: a number of rows and, since rows may be large, bytes in memory."""
WRITE_CHUNK_BYTES, SMALL_CHUNKS = 256 * 1024, 256
CODECS = {
    "UNCOMPRESSED": "NONE",
    "SNAPPY": "SNAPPY",
    "GZIP": "GZIP",
    "BROTLI": "BROTLI",
    "ZSTD": "ZSTD",
    # LZ4 has two framings in Parquet; the old one is deprecated.
    "LZ4": "LZ4",
    "LZ4_RAW": "LZ4",
}
DEFAULT_CODEC = "SNAPPY"
SAMPLE_ROWS = 8_192
MAX_DISTINCT = 0.75
"""Share of distinct values in a sample. Above it, a dictionary doubles the encoding time and enlarges the file."""


class Collector(io.RawIOBase):
    """A file object that collects the writer's output until it is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._written

    def write(self, data: object) -> int:
        """Store a copy of the data."""
        chunk = bytes(memoryview(data))  # type: ignore[arg-type]
        self._chunks.append(chunk)
        self._written += len(chunk)
        return len(chunk)

    def fetch(self) -> list[bytes]:
        """Return the chunks since the last call, small ones joined."""
        chunks, self._chunks = self._chunks, []
        joined: list[bytes] = []
        small: list[bytes] = []
        for chunk in chunks:
            small.append(chunk)
            if sum(map(len, small)) >= WRITE_CHUNK_BYTES or len(small) >= SMALL_CHUNKS:
                joined.append(small[0] if len(small) == 1 else b"".join(small))
                small = []
        return [*joined, b"".join(small)]


def choose_codec(footer: Footer) -> str:
    """Return the compression of a file's first column, or the default."""
    if not footer.num_row_groups or not footer.num_columns:
        return DEFAULT_CODEC
    return CODECS.get(footer.row_group(0).column(0).compression, DEFAULT_CODEC)


def write_parquet(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, codec: str, annotations: Annotations
) -> Iterator[bytes]:
    """Yield the file by row group; it is valid only with its last chunk.

    Raises:
        CorruptDatasetError: a column has a structure without fields, which Arrow cannot write.
    """
    if empty := [field.name for field in schema if has_empty_structure(field.type)]:
        raise CorruptDatasetError(
            f"The column {empty[0]} has a structure without fields, which cannot be written to Parquet again; select "
            "other columns, or ask for another format."
        )
    sink = Collector()
    tables: Iterator[pa.Table] = _gather(batches, schema)
    first = list(islice(tables, 1))
    dictionaries = list_repeating(first[0]) if first else False
    tables = chain(first, tables)
    del first
    writer = pq.ParquetWriter(
        sink,
        schema,
        compression=codec,
        version="2.6",
        store_schema=True,
        use_dictionary=dictionaries,
        write_statistics=choose_statistics(schema, annotations),
    )

    def write(table: pa.Table) -> list[bytes]:
        writer.write_table(table, row_group_size=max(1, table.num_rows))
        return sink.fetch()

    try:
        with closing(_write_behind(tables, write)) as chunks:
            yield from chunks
        writer.close()
    finally:
        # The rest of an abandoned result is discarded.
        writer.is_open = False
    yield _annotate_end(b"".join(sink.fetch()), annotations)


def _annotate_end(end: bytes, annotations: Annotations) -> bytes:
    """Return the end of a file, with the annotations added to its footer."""
    start = len(end) - MARKER_BYTES - int.from_bytes(end[-MARKER_BYTES:-4], "little")
    footer = annotate(end[start:-MARKER_BYTES], annotations)
    return b"".join([end[:start], footer, len(footer).to_bytes(4, "little"), end[-4:]])


def _write_behind(tables: Iterable[pa.Table], write: Callable[[pa.Table], list[bytes]]) -> Generator[bytes]:
    """Yield the output of `write` for each table; it runs in another thread while the next table is read."""
    pool = get_pool(Pool.ENCODING)
    waiting: Future[list[bytes]] | None = None
    try:
        for table in tables:
            chunks = waiting.result() if waiting else []
            waiting = pool.submit(write, table)
            del table
            yield from chunks
        if waiting:
            yield from waiting.result()
            waiting = None
    finally:
        if waiting and not waiting.cancel():
            wait([waiting])


def list_repeating(table: pa.Table) -> list[str]:
    """Return the paths of the leaf columns whose values repeat often enough for a dictionary."""
    chosen = [number for number, column in enumerate(table.columns) if _repeats(column)]
    stored = _write_empty(table.schema)
    paths = pq.ParquetFile(pa.BufferReader(stored)).schema
    return [paths.column(leaf).path for leaf in locate_leaves(table.schema, chosen)]


def _write_empty(schema: pa.Schema) -> bytes:
    """Return a file without rows, which has the writer's Parquet names of nested columns."""
    sink = io.BytesIO()
    # Arrow cannot make empty columns of every type.
    pq.ParquetWriter(sink, schema).close()
    return sink.getvalue()


def choose_statistics(schema: pa.Schema, annotations: Annotations) -> bool | list[str]:
    """Return the paths of the leaf columns that get statistics: all, unless some values have no order."""
    if not has_unordered(annotations):
        return True
    file = _write_empty(schema)
    length = int.from_bytes(file[-MARKER_BYTES:-4], "little")
    ordered = list_ordered(annotations, read_layout(file[-MARKER_BYTES - length : -MARKER_BYTES]))
    paths = pq.ParquetFile(pa.BufferReader(file)).schema
    return [paths.column(leaf).path for leaf in ordered]


def _repeats(column: pa.ChunkedArray) -> bool:
    """Return whether values repeat in the first rows; similar rows are mostly stored together."""
    sample = make_plain(pa.concat_arrays(column.slice(0, SAMPLE_ROWS).chunks))
    try:
        distinct = len(sample.unique())
    except pa.ArrowNotImplementedError:
        # Nested columns, or a type that Arrow cannot compare: the default of Parquet writers.
        return True
    return distinct <= MAX_DISTINCT * len(sample)


def _gather(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        size += max(batch.nbytes, expand(batch).nbytes)
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield _make_table(held, schema)
            held, rows, size = [], 0, 0
    if held:
        yield _make_table(held, schema)


def _make_table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches(batches).replace_schema_metadata(schema.metadata)
