"""Rows as Parquet with a single row group."""

from __future__ import annotations

import io

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

_SAMPLE_ROWS = 200
_WORTH_WHILE = 0.85
"""Of a column's bytes what may be left of them, if compressing is to be worth the time."""


def write_parquet(table: pa.Table, compression: str) -> bytes:
    """Return a table as a Parquet file of one row group: ClickHouse inserts it as one block."""
    kinds = dict(zip(table.schema.names, table.schema.types, strict=True))
    samples = {name: _sample(table, name) for name, kind in kinds.items() if _is_text(kind)}
    # Of views Arrow makes no dictionaries: they are whole lines, which do not repeat.
    repeated = [name for name, sample in samples.items() if pa.types.is_string(kinds[name]) and _repeats(sample)]
    dense = {name for name in samples.keys() - repeated if not _shrinks(samples[name], compression)}
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=max(len(table), 1),
        compression={name: "none" if name in dense else compression for name in kinds},
        use_dictionary=repeated,
        write_statistics=False,  # of use to who reads parts of a file
        store_schema=False,
    )
    return sink.getvalue()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_string_view(kind))


def _sample(table: pa.Table, name: str) -> list[str | None]:
    return table.column(name).slice(0, _SAMPLE_ROWS).to_pylist()  # type: ignore[no-any-return]


def _repeats(sample: list[str | None]) -> bool:
    """Guess whether a column's values come often."""
    return len(set(sample)) * 2 <= len(sample)


def _shrinks(sample: list[str | None], compression: str) -> bool:
    """Guess whether compressing a column is worth while: of hashes and UUIDs next to nothing is saved."""
    data = "".join(text for text in sample if text).encode()
    if not data or compression == "none":
        return True
    return len(pa.compress(data, codec=compression, asbytes=True)) < len(data) * _WORTH_WHILE
