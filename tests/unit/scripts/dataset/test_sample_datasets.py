"""The dataset download's scripts: what they generate, and how they count."""

from pathlib import Path

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from lib.dataset.count_rows import count_rows
from lib.dataset.sample_datasets import DATASETS, ORGANISATIONS, write_parquet


@pytest.mark.parametrize("name", DATASETS)
def test_datasets_are_the_same_each_time_and_have_organisations(name: str) -> None:
    draw, _ = DATASETS[name]
    files, again = dict(draw(600, 1)), dict(draw(600, 1))
    assert {key: write_parquet(table) for key, table in files.items()} == {
        key: write_parquet(table) for key, table in again.items()
    }
    assert sum(table.num_rows for table in files.values()) == 600
    assert all("organisation-entity" in table.column_names for table in files.values())


def test_large_dataset_is_sorted_so_that_a_slice_reads_little() -> None:
    draw, rows = DATASETS["entities"]
    ((_, table),) = draw(10_000, 1)
    organisations = table["organisation-entity"].to_pylist()
    assert rows == 1_000_000
    assert organisations == sorted(organisations)
    assert len(set(organisations)) == ORGANISATIONS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'a,b\r\n1,"two\nlines"\r\n2,x\r\n'),
        ("a.json", '[{"a": "\\n"},{"a": 2}]'),
        ("a.jsonl", '{"a": "\\n"}\n{"a": 2}\n'),
    ],
)
def test_rows_are_counted_and_not_lines(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, newline="")
    assert count_rows(tmp_path / name) == 2


@pytest.mark.parametrize("text", ["", '[{"a": 1},', '[{"a": 1}', '[{"a": 1}, {"a": "]'])
def test_array_that_was_cut_off_is_not_counted(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises((ValueError, duckdb.Error)):
        count_rows(tmp_path / "a.json")


def test_rows_of_parquet_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(write_parquet(pa.table({"a": [1, 2, 3]})))
    assert count_rows(tmp_path / "a.parquet") == 3
