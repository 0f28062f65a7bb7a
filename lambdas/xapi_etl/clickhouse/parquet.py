"""Rows as Parquet with a single row group."""

from __future__ import annotations

import io

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

_SAMPLE_ROWS, _SAMPLE_LENGTH = 200, 1_000
_MAX_COMPRESSED_RATIO = 0.85
"""The compressed share of a column's bytes above which compression is not worth its time."""


def write_parquet(table: pa.Table, compression: str) -> bytes:
    """Return a table as a Parquet file of one row group: ClickHouse inserts it as one block."""
    # Whole lines are string views and not sampled: they are long, compress well and do not repeat.
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    samples = {name: table.column(name).slice(0, _SAMPLE_ROWS).to_pylist() for name in texts}
    repeated = [name for name, sample in samples.items() if _repeats(sample)]
    dense = {name for name in samples.keys() - repeated if not _shrinks(samples[name], compression)}
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=max(len(table), 1),
        compression={name: "none" if name in dense else compression for name in table.schema.names},
        use_dictionary=repeated,
        write_statistics=False,  # only readers of parts of a file need them
        store_schema=False,
    )
    return sink.getvalue()


def _repeats(sample: list[str | None]) -> bool:
    """Return whether the sample suggests that a column's values repeat."""
    return len(set(sample)) * 2 <= len(sample)


def _shrinks(sample: list[str | None], compression: str) -> bool:
    """Return whether the sample suggests that compression is worthwhile; hashes and UUIDs hardly shrink."""
    data = "".join(text[:_SAMPLE_LENGTH] for text in sample if text).encode()
    if not data or compression == "none":
        return True
    return len(pa.compress(data, codec=compression, asbytes=True)) < len(data) * _MAX_COMPRESSED_RATIO
