"""Folders whose files differ, are partitioned by padded numbers, or belong to a table format."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from dataset_download.datasets.schema_unification import DifferentTypesError, conform, unite_types
from dataset_download.exceptions import CorruptDatasetError, QueryError
from dataset_download.pages.overview import describe_columns
from tests.unit.dataset_download.memory_s3 import MemoryS3, read_back


def put_folder(*tables: pa.Table) -> MemoryS3:
    store = MemoryS3()
    for number, table in enumerate(tables):
        store.put_table(f"data/{number}.parquet", table)
    return store


def ask(store: MemoryS3, *pairs: tuple[str, str]) -> Any:
    return json.loads(store.download("json", list(pairs)))


def put_months(*texts: str) -> MemoryS3:
    store = MemoryS3()
    for text in texts:
        store.put_table(f"data/month={text}/x.parquet", pa.table({"n": [int(text)]}))
    return store


@pytest.mark.parametrize("text", ["1", "01", "001"])
def test_padded_partitions_are_found_by_number(text: str) -> None:
    store = put_months("01", "02", "10")
    assert ask(store, ("month", text)) == [{"n": 1, "month": "01"}]


def test_padded_partitions_are_numbers_for_every_comparison_and_keep_their_text() -> None:
    store = put_months("01", "2", "010", "11")
    assert [row["month"] for row in ask(store, ("month__gt", "2"))] == ["010", "11"]
    assert [row["month"] for row in ask(store, ("month__lte", "2"), ("sort", "-month"))] == ["2", "01"]
    assert [row["month"] for row in ask(store, ("sort", "month"))] == ["01", "2", "010", "11"]
    assert [row["month"] for row in ask(store, ("month__startswith", "01"))] == ["01", "010"]
    assert [row["month"] for row in ask(store, ("month__contains", "1"), ("month__ne", "11"), ("sort", "month"))] == [
        "01",
        "010",
    ]
    assert ask(store, ("month", "2"), ("month", "11"), ("sort", "month"))[1] == {"n": 11, "month": "11"}
    shown = next(each for each in describe_columns(store.open()) if each.name == "month")
    assert (shown.minimum, shown.maximum) == ("01", "11")
    with pytest.raises(QueryError, match="month=x"):
        store.plan([("month", "x")])


def test_numbers_of_more_digits_than_64_bits_hold_are_compared_as_numbers() -> None:
    store = MemoryS3()
    for text in ("9" * 20, "1" + "0" * 20):
        store.put_table(f"data/id={text}/x.parquet", pa.table({"n": [1]}))
    assert [row["id"] for row in ask(store, ("id__gt", "9" * 20))] == ["1" + "0" * 20]


def test_files_with_more_columns_and_another_order_are_united_by_name() -> None:
    store = put_folder(
        pa.table({"id": [1], "name": ["a"]}),
        pa.table({"more": [1.5], "name": ["b"], "id": [2]}),
        pa.table({"id": [3]}),
    )
    rows = [
        {"id": 1, "name": "a", "more": None},
        {"id": 2, "name": "b", "more": 1.5},
        {"id": 3, "name": None, "more": None},
    ]
    assert ask(store) == rows
    assert list(csv.reader(io.StringIO(store.download("csv").decode())))[3] == ["3", "", ""]
    assert read_back(store.download("parquet")).to_pylist() == rows
    assert ask(store, ("name", "b")) == rows[1:2]
    assert ask(store, ("more__isnull", "true"), ("select", "id")) == [{"id": 1}, {"id": 3}]
    assert ask(store, ("more__gte", "1"), ("select", "id")) == [{"id": 2}]
    assert ask(store, ("sort", "-id"), ("limit", "1")) == rows[2:]
    found = {each.name: each for each in describe_columns(store.open())}
    assert (found["more"].nulls, found["more"].nullable) == (2, True)
    assert (found["id"].minimum, found["id"].maximum) == ("1", "3")


WIDENED = [
    (pa.int32(), pa.int64(), pa.int64(), [2**31 - 1], [2**40]),
    (pa.uint32(), pa.int32(), pa.int64(), [2**32 - 1], [-1]),
    (pa.int16(), pa.float32(), pa.float32(), [-32768], [0.5]),
    (pa.int32(), pa.float32(), pa.float64(), [2**31 - 1], [0.5]),
    (pa.float32(), pa.float64(), pa.float64(), [0.5], [0.1]),
    (pa.int64(), pa.decimal128(5, 2), pa.decimal128(22, 2), [2**62], [Decimal("1.25")]),
    (pa.decimal128(5, 2), pa.decimal128(7, 4), pa.decimal128(7, 4), [Decimal("1.25")], [Decimal("1.2501")]),
    (pa.decimal128(38, 0), pa.decimal128(4, 4), pa.decimal256(42, 4), [Decimal(10**37)], [Decimal("0.0001")]),
    (pa.null(), pa.string(), pa.string(), [None], ["x"]),
    (pa.string(), pa.dictionary(pa.int32(), pa.string()), pa.string(), ["x"], ["y"]),
    (pa.string(), pa.large_string(), pa.large_string(), ["x"], ["y"]),
    (pa.binary(), pa.binary(2), pa.binary(), [b"x"], [b"yy"]),
    (
        pa.timestamp("us"),
        pa.timestamp("ns"),
        pa.timestamp("ns"),
        [datetime(2024, 1, 1)],  # noqa: DTZ001 - naive
        [datetime(2024, 1, 2)],  # noqa: DTZ001
    ),
    (
        pa.timestamp("us", "UTC"),
        pa.timestamp("us", "Europe/Berlin"),
        pa.timestamp("us", "UTC"),
        [datetime(2024, 1, 1, tzinfo=UTC)],
        [datetime(2024, 1, 2, tzinfo=UTC)],
    ),
    (pa.list_(pa.int32()), pa.list_(pa.int64()), pa.list_(pa.int64()), [[1, None], None], [[2**40], []]),
    (
        pa.struct({"a": pa.int32()}),
        pa.struct({"b": pa.string(), "a": pa.int64()}),
        pa.struct({"a": pa.int64(), "b": pa.string()}),
        [{"a": 1}, None],
        [{"a": 2, "b": "x"}],
    ),
    (
        pa.map_(pa.string(), pa.int32()),
        pa.map_(pa.string(), pa.int64()),
        pa.map_(pa.string(), pa.int64()),
        [[("k", 1)], None],
        [[("k", 2)]],
    ),
]


@pytest.mark.parametrize(("one", "other", "united", "first", "second"), WIDENED, ids=lambda value: str(value)[:24])
def test_types_are_widened_without_a_change_of_value(
    one: pa.DataType, other: pa.DataType, united: pa.DataType, first: list[Any], second: list[Any]
) -> None:
    tables = [pa.table({"x": pa.array(first, one)}), pa.table({"x": pa.array(second, other)})]
    for chosen in (tables, tables[::-1]):
        store = put_folder(*chosen)
        read = read_back(store.download("parquet"))
        assert read.schema.field("x").type == unite_types(chosen[0]["x"].type, chosen[1]["x"].type)
        expected = [row for table in chosen for row in table.column("x").to_pylist()]
        found = read.column("x").to_pylist()
        assert list(map(_complete, expected)) == list(map(_complete, found))
    assert unite_types(one, other) == united


def _complete(value: Any) -> Any:
    return {"a": None, "b": None, **value} if isinstance(value, dict) else value


def test_filters_hold_across_widened_files() -> None:
    store = put_folder(
        pa.table({"n": pa.array([1, 5], pa.int32()), "at": pa.array([0, 10**3], pa.timestamp("ms"))}),
        pa.table({"n": pa.array([5, 2**40], pa.int64()), "at": pa.array([0, 10**9], pa.timestamp("ns"))}),
    )
    assert len(ask(store, ("n", "5"))) == 2
    assert [row["n"] for row in ask(store, ("n__gt", "5"))] == [2**40]
    assert [row["n"] for row in ask(store, ("at", "1970-01-01T00:00:01"))] == [5, 2**40]
    assert [row["n"] for row in ask(store, ("at__lt", "1970-01-01T00:00:01"))] == [1, 5]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1], ["1"]),
        (pa.array([1], pa.int64()), [1.5]),
        (pa.array([1], pa.uint64()), pa.array([1], pa.int64())),
        ([True], [1]),
        ([b"x"], ["x"]),
        ([date(2024, 1, 1)], [datetime(2024, 1, 1)]),  # noqa: DTZ001
        ([datetime(2024, 1, 1)], [datetime(2024, 1, 1, tzinfo=UTC)]),  # noqa: DTZ001
        ([[1]], [1]),
        ([{"a": 1}], [{"a": "x"}]),
    ],
    ids=lambda values: str(pa.array(values).type),
)
def test_types_without_one_in_common_are_refused_and_named(one: Any, other: Any) -> None:
    tables = pa.table({"id": [1], "x": one}), pa.table({"id": [1], "x": other})
    with pytest.raises(CorruptDatasetError) as caught:
        put_folder(*tables).open()
    assert "data/0.parquet and data/1.parquet" in str(caught.value)
    for number in range(2):
        kind = str(
            pq.read_schema(pa.BufferReader(put_folder(*tables).objects[f"data/{number}.parquet"])).field("x").type
        )
        assert kind in str(caught.value)


def test_a_value_that_the_wider_type_does_not_reach_ends_the_download() -> None:
    far = pa.array([datetime(9999, 1, 1)], pa.timestamp("us"))  # noqa: DTZ001
    store = put_folder(pa.table({"at": far}), pa.table({"at": pa.array([1], pa.timestamp("ns"))}))
    with pytest.raises(CorruptDatasetError, match=r"data/0\.parquet: a value of at cannot be of the type timestamp"):
        store.download("csv")


def test_slices_are_conformed_too() -> None:
    structs = pa.array([{"a": 1}, None, {"a": 3}, {"a": None}], pa.struct({"a": pa.int32()}))
    wide = pa.struct({"a": pa.int64(), "b": pa.string()})
    lists = pa.array([[1], None, [2, 3], []], pa.list_(pa.int32()))
    maps = pa.array([[(1, 1)], None, [(2, None), (3, 4)]], pa.map_(pa.int32(), pa.int32()))
    for start in range(4):
        expected = [value and {**value, "b": None} for value in structs.to_pylist()[start:]]
        assert conform(structs.slice(start), wide).to_pylist() == expected
        assert conform(lists.slice(start), pa.large_list(pa.int64())).to_pylist() == lists.to_pylist()[start:]
        assert conform(maps.slice(start), pa.map_(pa.int64(), pa.int64())).to_pylist() == maps.to_pylist()[start:]


def test_uuids_do_not_become_bytes_and_the_other_way_round() -> None:
    with pytest.raises(DifferentTypesError):
        unite_types(pa.uuid(), pa.binary(16))
    assert unite_types(pa.null(), pa.uuid()) == pa.uuid()


def test_a_partition_that_only_some_files_hold_too_is_refused() -> None:
    store = MemoryS3()
    store.put_table("data/year=2023/x.parquet", pa.table({"id": [1], "year": [2023]}))
    store.put_table("data/year=2024/x.parquet", pa.table({"id": [2]}))
    with pytest.raises(CorruptDatasetError, match="year is a column of some"):
        store.open()


TABLE_OBJECTS = {
    "_delta_log/00000000000000000000.json": "Delta Lake",
    "sub/_delta_log/00000000000000000001.checkpoint.parquet": "Delta Lake",
    "metadata/v1.metadata.json": "Iceberg",
    "metadata/00001-4f3e.metadata.json": "Iceberg",
    "metadata/snap-1-1-x.avro": "Iceberg",
    "metadata/version-hint.text": "Iceberg",
    ".hoodie/hoodie.properties": "Hudi",
    "year=2024/.hoodie_partition_metadata": "Hudi",
    "_spark_metadata/0": "Spark",
    "delete_delta_0000002_0000002/bucket_00000": "Hive",
    "snapshot/snapshot-1": "Paimon",
}


@pytest.mark.parametrize(("key", "kind"), TABLE_OBJECTS.items())
def test_tables_with_a_log_are_refused_with_the_reason(key: str, kind: str) -> None:
    store = put_folder(pa.table({"id": [1]}))
    store.objects[f"data/{key}"] = b"{}"
    with pytest.raises(CorruptDatasetError, match=kind):
        store.open()


def test_iceberg_s_delete_files_are_refused_without_its_metadata_too() -> None:
    store = put_folder(
        pa.table({"id": [1]}),
        pa.table({"file_path": ["x"], "pos": [0]}).replace_schema_metadata({"delete-type": "position"}),
    )
    with pytest.raises(CorruptDatasetError, match="Iceberg"):
        store.open()


def test_other_objects_beside_the_files_change_nothing() -> None:
    store = put_folder(pa.table({"id": [1]}))
    for key in ("_SUCCESS", "_metadata", "_temporary/0/x.parquet", "metadata/notes.json", "snapshot/x.txt"):
        store.objects[f"data/{key}"] = b"{}"
    assert ask(store) == [{"id": 1}]


def test_metadata_of_the_files_own_schemas_is_left_out_where_these_differ() -> None:
    one = pa.table({"id": [1]}).replace_schema_metadata({"pandas": "{}", "title": "A title"})
    store = put_folder(one, pa.table({"id": [2], "more": [1]}))
    read = pq.ParquetFile(pa.BufferReader(store.download("parquet")))
    assert {key: value for key, value in read.metadata.metadata.items() if key != b"ARROW:schema"} == {
        b"title": b"A title"
    }
