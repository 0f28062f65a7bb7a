"""Pages of wide tables and of large values."""

import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from dataset_download.http.application import create_app
from dataset_download.pages.cells import MAX_CHARACTERS, show_cells
from tests.unit.dataset_download.asgi import call
from tests.unit.dataset_download.conftest import Aws, MakeService


def test_the_page_of_a_wide_table_shows_its_first_columns(make: MakeService, aws: Aws) -> None:
    column = pa.array(["text"] * 30)
    aws.put("wide.parquet", pa.table({f"column_{number}": column for number in range(1500)}))
    answer = call(create_app(make()), "/wide")
    assert answer.status == 200
    assert "in 100 of 1,500 columns" in answer.text
    assert "column_1499" in answer.text
    filters = "&".join(f"column_{number}__ne=x" for number in range(100))
    filtered = call(create_app(make()), f"/wide?{filters}")
    assert filtered.status == 200
    assert len(filtered.body) < 3_000_000


@pytest.mark.parametrize(
    "value", ["x" * 3_000_000, b"x" * 3_000_000, ["x" * 1000] * 3000, {"a": "x" * 3_000_000}, [("k" * 3_000_000, 1)]]
)
def test_of_a_large_value_its_beginning_is_shown(value: object) -> None:
    type_ = pa.map_(pa.string(), pa.int64()) if isinstance(value, list) and isinstance(value[0], tuple) else None
    column = pa.array([value, None], type_)
    large, nothing = show_cells(column)
    assert nothing is None
    assert large is not None
    assert len(large) <= MAX_CHARACTERS + 1
    assert "…" in large


def test_values_of_usual_size_are_shown_whole() -> None:
    assert show_cells(pa.array(["é" * 200, "é" * 201])) == ["é" * 200, "é" * 200 + "…"]
    assert show_cells(pa.array([[1, None]])) == ["[1,null]"]
    assert show_cells(pa.array([b"abc"])) == ["YWJj"]
    assert show_cells(pa.array(["a"]).dictionary_encode()) == ["a"]


def test_a_dataset_whose_rows_do_not_fit_has_a_page(make: MakeService, aws: Aws) -> None:
    aws.put("giant.parquet", pa.table({"id": [1], "s": ["g" * 80_000_000]}), compression="zstd")
    app = create_app(make())
    answer = call(app, "/giant")
    assert answer.status == 200
    assert "Not shown" in answer.text
    refused = call(app, "/giant.csv")
    assert refused.status == 413
    assert "MEMORY_MB" in refused.json["detail"]
    assert call(app, "/giant.csv?select=id").body == b"id\n1\n"
