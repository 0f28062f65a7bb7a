"""Rows as Parquet: compressed columns and dictionaries."""

import io
import uuid
from random import Random

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from xapi_etl.clickhouse.parquet import write_parquet

ROWS = 1_000
DICE = Random(20261121)
TABLE = pa.table(
    {
        "id": [str(uuid.UUID(int=DICE.getrandbits(128))) for _ in range(ROWS)],
        "address": [f"https://example.org/activities/{number}" for number in range(ROWS)],
        "verb": [DICE.choice(["answered", "completed"]) for _ in range(ROWS)],
        "nothing": pa.nulls(ROWS, pa.string()),
        "number": list(range(ROWS)),
        "line": pa.array([f'{{"number":{number},"text":"{"x" * 50}"}}' for number in range(ROWS)], pa.string_view()),
    }
)


def read_footer(parquet: bytes) -> dict[str, pq.ColumnChunkMetaData]:
    group = pq.ParquetFile(io.BytesIO(parquet)).metadata.row_group(0)
    columns = (group.column(number) for number in range(group.num_columns))
    return {column.path_in_schema: column for column in columns}


@pytest.mark.parametrize("compression", ["snappy", "zstd", "lz4", "gzip", "brotli", "none"])
def test_rows_come_back_in_one_row_group(compression: str) -> None:
    file = pq.ParquetFile(io.BytesIO(write_parquet(TABLE, compression)))
    assert file.num_row_groups == 1
    assert file.read().to_pydict() == TABLE.to_pydict()


def test_incompressible_columns_are_not_compressed() -> None:
    footer = read_footer(write_parquet(TABLE, "snappy"))
    assert {name for name, column in footer.items() if column.compression == "UNCOMPRESSED"} == {"id"}
    # Each of a UUID's 32 hexadecimal digits holds half a byte.
    assert read_footer(write_parquet(TABLE, "zstd"))["id"].compression == "ZSTD"


def test_values_that_repeat_have_a_dictionary() -> None:
    footer = read_footer(write_parquet(TABLE, "snappy"))
    assert {name for name, column in footer.items() if column.has_dictionary_page} == {"verb", "nothing"}


def test_repeated_lines_are_all_written() -> None:
    table = pa.table({"line": pa.array(["the same line"] * ROWS, pa.string_view())})
    assert pq.ParquetFile(io.BytesIO(write_parquet(table, "snappy"))).read().to_pydict() == table.to_pydict()


def test_empty_table_is_a_valid_file() -> None:
    assert pq.ParquetFile(io.BytesIO(write_parquet(TABLE.slice(0, 0), "snappy"))).metadata.num_rows == 0
