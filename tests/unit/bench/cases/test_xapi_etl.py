"""The ETL's contenders do the same work, and the bench would notice if not."""

from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from tests.bench.cases.xapi_etl import describe
from tests.bench.contenders.convert_statements import CONTENDERS
from tests.unit.xapi_etl.statements import make_statements, write_lines

LEFT_OUT = ("source_line", "timestamp_source", "course_id", "organisation", "parent_ids", "grouping_ids")
"""Columns that DuckDB is spared."""


def convert(contender: str, source: Path) -> Path:
    folder = source.with_name(contender)
    folder.mkdir()
    CONTENDERS[contender](source, folder, None)()
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "statements.jsonl"
    path.write_bytes(write_lines(make_statements(500)))
    return path


def test_reference_algorithm_and_duckdb_give_the_same_rows(source: Path) -> None:
    ours = describe(convert("ours", source))
    assert len(ours) == 37
    assert describe(convert("reference", source)) == ours
    assert describe(convert("whole", source)) == {"statement_id": ours["statement_id"]}
    for left_out in LEFT_OUT:
        del ours[left_out]
    assert describe(convert("duckdb", source)) == ours


@pytest.mark.parametrize("column", ["statement_id", "timestamp", "score_raw", "statement", "source_line"])
def test_description_notices_rows_in_another_order(source: Path, column: str) -> None:
    folder = convert("ours", source)
    before = describe(folder)
    (path,) = folder.glob("*.parquet")
    table = pq.ParquetFile(path).read()
    place = table.column_names.index(column)
    values = table.column(column).to_pylist()
    shuffled = pa.array(values[250:] + values[:250], table.column(column).type)
    pq.write_table(table.set_column(place, column, shuffled), path)
    after = describe(folder)
    assert [name for name in before if after[name] != before[name]] == [column]
