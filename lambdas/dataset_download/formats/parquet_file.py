"""Parquet: one file with the source's schema, written as its batches come."""

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

GROUP_ROWS = 122_880
GROUP_BYTES = 16 * 1024 * 1024
"""Rows are held until a row group is full: by rows or, since rows may be large, by bytes in memory."""
CODECS = {"UNCOMPRESSED": "NONE", "LZ4_RAW": "LZ4"}
DEFAULT_CODEC = "SNAPPY"


class Collector(io.RawIOBase):
    """Takes what the writer writes until it is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return how much was written."""
        return self._written

    def write(self, data: object) -> int:
        """Keep a copy."""
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self._pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def fetch(self) -> bytes:
        """Return what came since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def choose_codec(footer: pq.FileMetaData) -> str:
    """Return the compression that a file uses (that of its first column)."""
    if not footer.num_row_groups or not footer.num_columns:
        return DEFAULT_CODEC
    codec: str = footer.row_group(0).column(0).compression
    return CODECS.get(codec, codec)


def write_parquet(batches: Iterable[pa.RecordBatch], schema: pa.Schema, codec: str) -> Iterator[bytes]:
    """Yield the file, a row group at a time; it is valid only with the last piece."""
    sink = Collector()
    writer = pq.ParquetWriter(sink, schema, compression=codec, version="2.6", store_schema=True)
    try:
        for table in _gather(batches, schema):
            writer.write_table(table, row_group_size=max(1, table.num_rows))
            yield sink.fetch()
        writer.close()
    finally:
        # Of an answer that was given up nobody gets the rest.
        writer.is_open = False
    yield sink.fetch()


def _gather(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield _make_table(held, schema)
            held, rows, size = [], 0, 0
    if held:
        yield _make_table(held, schema)


def _make_table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches(batches).replace_schema_metadata(schema.metadata)
