"""Parquet files that are small and take much memory to answer with, each in its own way."""

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

KIB, MIB = 1024, 1024 * 1024


def _write(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **{"compression": "zstd", **options})
    return file.getvalue()


def _repeat(texts: list[str], rows: int) -> pa.DictionaryArray:
    places = pa.array([number % len(texts) for number in range(rows)], pa.int32())
    return pa.DictionaryArray.from_arrays(places, pa.array(texts))


def _number(rows: int) -> pa.Array:
    return pa.array(range(rows), pa.int64())


def repeat_a_long_text() -> bytes:
    """One text of 64 KiB in 40,000 rows: 2.5 GB as CSV."""
    rows, texts = 40_000, ["x" * 64 * KIB]
    file = io.BytesIO()
    with pq.ParquetWriter(file, pa.schema([("id", pa.int64()), ("s", pa.string())]), compression="zstd") as writer:
        for start in range(0, rows, 4_000):
            part = pa.table({"id": _number(start + 4_000).slice(start), "s": _repeat(texts, 4_000).dictionary_decode()})
            writer.write_table(part)
    return file.getvalue()


def keep_a_dictionary() -> bytes:
    """A thousand texts of 64 KiB in a column that Arrow, too, keeps as a dictionary."""
    texts = [f"{number:06}" + "y" * 64 * KIB for number in range(400)]
    return _write(pa.table({"id": _number(60_000), "s": _repeat(texts, 60_000)}))


def begin_with_short_texts() -> bytes:
    """Two texts, a short one in the first 50,000 rows, one of a megabyte in the next 10,000."""
    places = pa.array([0] * 50_000 + [1] * 600, pa.int32())
    texts = pa.DictionaryArray.from_arrays(places, pa.array(["a", "z" * MIB]))
    return _write(pa.table({"id": _number(50_600), "s": texts}), data_page_size=4 * MIB)


def share_prefixes() -> bytes:
    """Texts of a megabyte that differ in their ends: each is stored as a few bytes."""
    texts = [f"{'p' * MIB}{number:05}" for number in range(500)]
    encodings = {"s": "DELTA_BYTE_ARRAY", "id": "PLAIN"}
    return _write(pa.table({"id": _number(500), "s": texts}), use_dictionary=False, column_encoding=encodings)


def write_long_lists() -> bytes:
    """One row of twenty million zeros among short ones."""
    offsets = pa.array([0, 2, 20_000_002, 20_000_004], pa.int32())
    lists = pa.ListArray.from_arrays(offsets, pa.repeat(pa.scalar(0, pa.int64()), 20_000_004))
    return _write(pa.table({"id": _number(3), "l": lists}))


def write_many_lists() -> bytes:
    """A thousand rows of forty thousand nulls in structures."""
    size, rows = 20_000, 1_000
    values = pa.StructArray.from_arrays([pa.nulls(size * rows, pa.int32())], names=["a_name_that_is_written_each_time"])
    lists = pa.ListArray.from_arrays(pa.array(range(0, size * rows + 1, size), pa.int32()), values)
    return _write(pa.table({"id": _number(rows), "l": lists}))


def write_large_cells() -> bytes:
    """Cells of 20 MiB that hold quotes."""
    return _write(pa.table({"id": _number(6), "s": ['"q' * 10 * MIB] * 6}))


def write_control_characters() -> bytes:
    """Cells of 8 MiB that JSON writes six times as long."""
    return _write(pa.table({"id": _number(20), "s": ["\x01" * 8 * MIB] * 20}))


def write_a_giant_cell() -> bytes:
    """A cell of 600 MiB."""
    return _write(pa.table({"id": _number(1), "s": ["g" * 600 * MIB]}))


def write_a_large_page() -> bytes:
    """A page of numbers that comes to 400 MiB."""
    table = pa.table({"n": pa.repeat(pa.scalar(7, pa.int64()), 50_000_000)})
    options = {"data_page_size": 1 << 30, "max_rows_per_page": 1 << 30, "row_group_size": 1 << 30}
    return _write(table, use_dictionary=False, **options)


def write_many_columns() -> bytes:
    """Five thousand columns of texts."""
    column = pa.array([f"value {number}" for number in range(2_000)])
    return _write(pa.table({f"column_{number:04}": column for number in range(5_000)}))


def write_wide_pages() -> bytes:
    """Two hundred columns, each with a full page of plain texts."""
    texts = pa.array([f"{number:09}" + "w" * 60 for number in range(14_000)])
    return _write(pa.table({f"c{number}": texts for number in range(200)}), use_dictionary=False)


def write_tiny_rows() -> bytes:
    """Six million rows of a truth value."""
    return _write(pa.table({"b": pa.repeat(pa.scalar(value=True), 6_000_000)}))


def nest_deeply() -> bytes:
    """Lists in lists in lists, and structures in structures."""
    lists: pa.Array = pa.array(range(200_000), pa.int64())
    for _ in range(25):
        lists = pa.ListArray.from_arrays(pa.array(range(len(lists) + 1), pa.int32()), lists)
    structures: pa.Array = pa.array(range(200_000), pa.int64())
    for level in range(50):
        structures = pa.StructArray.from_arrays([structures], names=[f"level_{level}"])
    return _write(pa.table({"id": _number(200_000), "l": lists, "s": structures}))


def write_bytes() -> bytes:
    """Two million short byte strings, and long ones."""
    short = pa.array([number.to_bytes(8, "big") for number in range(1_000_000)])
    return _write(pa.table({"id": _number(1_000_000), "b": short}))


def write_large_bytes() -> bytes:
    """Byte strings of 8 MiB."""
    return _write(pa.table({"id": _number(12), "b": [bytes([number]) * 8 * MIB for number in range(12)]}))


def write_large_maps() -> bytes:
    """Maps whose keys have 30 MiB."""
    maps = pa.array([[("k" * 30 * MIB, 1)], [("m" * 30 * MIB, 2)]], pa.map_(pa.string(), pa.int32()))
    return _write(pa.table({"id": _number(2), "m": maps}), compression="brotli")


def write_many_groups() -> bytes:
    """Ten thousand row groups of ten rows."""
    table = pa.table({"id": _number(100_000), **{f"c{number}": _number(100_000) for number in range(6)}})
    return _write(table, row_group_size=10)


def write_noise() -> bytes:
    """Texts that differ, of 256 KiB each."""
    pattern = bytes(range(97, 123)) * (256 * KIB // 26)
    texts = [f"{number:08}" + pattern.decode() for number in range(500)]
    return _write(pa.table({"id": _number(500), "s": texts}), compression="snappy")


FILES: dict[str, Callable[[], bytes]] = {
    "long-text": repeat_a_long_text,
    "dictionary": keep_a_dictionary,
    "short-then-long": begin_with_short_texts,
    "prefixes": share_prefixes,
    "long-list": write_long_lists,
    "many-lists": write_many_lists,
    "large-cells": write_large_cells,
    "control-characters": write_control_characters,
    "giant-cell": write_a_giant_cell,
    "large-page": write_a_large_page,
    "many-columns": write_many_columns,
    "wide-pages": write_wide_pages,
    "tiny-rows": write_tiny_rows,
    "deep": nest_deeply,
    "bytes": write_bytes,
    "large-bytes": write_large_bytes,
    "large-maps": write_large_maps,
    "many-groups": write_many_groups,
    "noise": write_noise,
}
