"""Results compared with a plain Python implementation: filters, select, limit, offset, sort, in all formats."""

import csv
import io
import json
import math
import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_download.exceptions import QueryError, SortTooLargeError
from dataset_download.formats.format import Format
from dataset_download.planning.plan import Reading
from dataset_download.reading.result_stream import start_download
from tests.support.tiers import scale
from tests.unit.dataset_download.memory_s3 import MemoryS3, put, read_back

SCHEMA = pa.schema([("n", pa.int64()), ("s", pa.string()), ("f", pa.float64()), ("d", pa.date32()), ("b", pa.bool_())])
NUMBERS = st.integers(-5, 5)
TEXTS = st.sampled_from(["", "a", "ab", "b", "ba", 'q"', "x,y", "é", "line\n", "=1"]) | st.text(max_size=3)
FLOATS = st.sampled_from([-1.5, -0.0, 0.0, 0.5, 2.0, float("nan"), float("inf")])
DAYS = st.dates(date(2024, 1, 1), date(2024, 1, 9))
ROWS = st.lists(
    st.tuples(*(st.none() | each for each in (NUMBERS, TEXTS, FLOATS, DAYS, st.booleans()))), max_size=25
)  # fmt: skip
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "contains": lambda a, b: b in a,
    "startswith": lambda a, b: a.startswith(b),
}
ORDERING = ["eq", "ne", "gt", "gte", "lt", "lte"]
CONDITIONS = st.one_of(
    st.tuples(st.just("n"), st.sampled_from(ORDERING), NUMBERS),
    st.tuples(st.just("s"), st.sampled_from([*ORDERING, "contains", "startswith"]), TEXTS),
    st.tuples(st.just("f"), st.sampled_from(ORDERING), st.sampled_from([-1.5, -0.0, 0.0, 0.5, 7.0])),
    st.tuples(st.just("d"), st.sampled_from(ORDERING), DAYS),
    st.tuples(st.just("b"), st.sampled_from(["eq", "ne"]), st.booleans()),
    st.tuples(st.sampled_from(SCHEMA.names), st.just("isnull"), st.booleans()),
)


def make_store(rows: list[tuple[Any, ...]], group: int, *, dictionary: bool = True) -> MemoryS3:
    columns = [pa.array([row[number] for row in rows], field.type) for number, field in enumerate(SCHEMA)]
    table = pa.Table.from_arrays(columns, schema=SCHEMA)
    return put(table, row_group_size=group, use_dictionary=dictionary)


def holds(row: dict[str, Any], condition: tuple[str, str, Any]) -> bool:
    column, operator, wanted = condition
    value = row[column]
    if operator == "isnull":
        return (value is None) is wanted
    return value is not None and COMPARE[operator](value, wanted)


def select_rows(rows: list[tuple[Any, ...]], conditions: list[tuple[str, str, Any]]) -> list[dict[str, Any]]:
    """The plain way: repeated equality is any-of, everything else has to hold."""
    named = [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]
    any_of: dict[str, list[tuple[str, str, Any]]] = {}
    for condition in conditions:
        if condition[1] == "eq":
            any_of.setdefault(condition[0], []).append(condition)
    others = [condition for condition in conditions if condition[1] != "eq"]
    return [
        row
        for row in named
        if all(any(holds(row, one) for one in same) for same in any_of.values())
        and all(holds(row, one) for one in others)
    ]


def make_pairs(conditions: list[tuple[str, str, Any]]) -> list[tuple[str, str]]:
    return [
        (f"{column}__{operator}", str(value).lower() if isinstance(value, bool) else str(value))
        for column, operator, value in conditions
    ]


def show(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON has them."""
    return [{name: show_value(value) for name, value in row.items()} for row in rows]


def show_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, date) else value


@settings(deadline=None, max_examples=scale(150, 20))
@given(rows=ROWS, conditions=st.lists(CONDITIONS, max_size=3), group=st.integers(1, 9), batch=st.integers(1, 7),
       offset=st.integers(0, 12), limit=st.none() | st.integers(0, 12))  # fmt: skip
def test_json_has_the_rows_that_plain_python_selects(
    rows: list[tuple[Any, ...]],
    conditions: list[tuple[str, str, Any]],
    group: int,
    batch: int,
    offset: int,
    limit: int | None,
) -> None:
    pairs = [*make_pairs(conditions), ("offset", str(offset))]
    pairs += [] if limit is None else [("limit", str(limit))]
    store = make_store(rows, group)
    reading = Reading(batch_rows=batch)
    wanted = select_rows(rows, conditions)[offset:][:limit]
    download = store.start("json", pairs, reading)
    assert json.loads(b"".join(download)) == show(wanted)
    assert download.rows == len(wanted)
    plan = store.plan(pairs, reading=reading)
    assert plan.row_count in (None, len(wanted))
    assert read_back(store.download("parquet", pairs, reading)).num_rows == len(wanted)


@settings(deadline=None, max_examples=scale(100, 20))
@given(rows=ROWS, group=st.integers(1, 9), key=st.sampled_from(SCHEMA.names), descending=st.booleans(),
       limit=st.none() | st.integers(0, 9), offset=st.integers(0, 5))  # fmt: skip
def test_sorted_answers_are_stable_with_nulls_last(
    rows: list[tuple[Any, ...]], group: int, key: str, descending: bool, limit: int | None, offset: int
) -> None:
    pairs = [("sort", f"{'-' if descending else ''}{key}"), ("offset", str(offset))]
    pairs += [] if limit is None else [("limit", str(limit))]
    found = json.loads(make_store(rows, group).download("json", pairs, Reading(batch_rows=4)))
    named = [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]
    known = [row for row in named if row[key] is not None and row[key] == row[key]]
    nan = [row for row in named if row[key] is not None and row[key] != row[key]]
    ordered = sorted(known, key=lambda row: row[key], reverse=descending)
    if descending:
        # Python's reverse keeps equal rows in their order, and so do we.
        ordered = sorted(known, key=lambda row: row[key], reverse=True)
    wanted = [*ordered, *nan, *(row for row in named if row[key] is None)]
    assert found == show(wanted[offset:][:limit])


@settings(deadline=None, max_examples=scale(60, 20))
@given(rows=ROWS, dictionary=st.booleans())
def test_csv_read_back_is_the_source(rows: list[tuple[Any, ...]], dictionary: bool) -> None:
    data = make_store(rows, 5, dictionary=dictionary).download("csv", [("select", "s,n")], Reading(batch_rows=3))
    header, *found = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    assert header == ["s", "n"]
    assert found == [[row[1] or "", "" if row[0] is None else str(row[0])] for row in rows]


def test_null_and_empty_text_differ_in_csv() -> None:
    assert put(pa.table({"a": ["", None, "x"], "b": [1, 2, 3]})).download("csv") == b'a,b\n"",1\n,2\nx,3\n'


def test_a_null_alone_in_its_row_is_no_empty_line() -> None:
    assert put(pa.table({"a": ["x", None]})).download("csv") == b'a\nx\n""\n'


def test_empty_answers_are_whole_documents() -> None:
    store = put(pa.table({"a": [1, 2], "b": ["x", "y"]}))
    for pairs in ([("limit", "0")], [("a", "9")], [("offset", "2")], [("a__gt", "1"), ("a__lt", "1")]):
        assert store.download("csv", pairs) == b"a,b\n"
        assert store.download("json", pairs) == b"[]\n"
        assert store.download("jsonl", pairs) == b""
        assert read_back(store.download("parquet", pairs)).num_rows == 0


def test_a_file_without_row_groups_is_an_empty_dataset() -> None:
    store = put(pa.table({"a": pa.array([], pa.int64())}))
    assert store.download("csv") == b"a\n"
    assert store.download("json") == b"[]\n"
    assert store.download("csv", [("sort", "a")]) == b"a\n"
    assert store.plan([]).row_count == 0


def test_the_whole_parquet_file_is_the_object_itself() -> None:
    store = put(pa.table({"a": range(1000)}))
    assert store.download("parquet") == store.objects["data.parquet"]


def test_selected_columns_come_in_the_order_asked_for() -> None:
    store = put(pa.table({"a": [1], "b": ["x"], "c": [True]}, metadata={"k": "v"}))
    assert store.download("csv", [("select", "c,a")]) == b"c,a\ntrue,1\n"
    found = read_back(store.download("parquet", [("select", "c,a")]))
    assert found.schema.names == ["c", "a"]
    assert found.schema.metadata == {b"k": b"v"}


def test_metadata_and_compression_of_the_source_are_kept() -> None:
    field = pa.field("a", pa.int64(), nullable=False, metadata={"unit": "m"})
    store = put(pa.Table.from_arrays([pa.array([1, 2])], schema=pa.schema([field], {"geo": "{}"})), compression="zstd")
    data = store.download("parquet", [("a__gt", "0")])
    metadata = pq.read_metadata(pa.BufferReader(data))
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    found = read_back(data).schema
    assert found.metadata == {b"geo": b"{}"}
    assert not found.field("a").nullable
    assert found.field("a").metadata[b"unit"] == b"m"


def test_columns_of_any_name_are_read_and_filtered() -> None:
    names = ["a.b", "a", "limit", "select", "with space", 'q"uote', "com,ma", "x__gt", "é", "a__b", ".x", "[0]"]
    store = put(
        pa.table({**{name: [number, number + 100] for number, name in enumerate(names)}, "s": [{"b": 1}, {"b": 2}]})
    )
    for number, name in enumerate(names):
        found = json.loads(store.download("json", [(f"{name}__eq", str(number))]))
        assert [row[name] for row in found] == [number]
        assert (
            json.loads(store.download("json", [("sort", f'"-{name.replace(chr(34), chr(34) * 2)}"')]))[0][name]
            == number + 100
        )
        only = store.download("csv", [("select", '"' + name.replace('"', '""') + '"')])
        assert list(csv.reader(io.StringIO(only.decode()))) == [[name], [str(number)], [str(number + 100)]]


def test_formulas_are_guarded_on_request() -> None:
    store = put(pa.table({"=a": ["=1+1", "+1", "-1", "@x", "\tx", "a=1", None, '=HYPERLINK("x,y")'], "n": [-1] * 8}))
    guarded = b"".join(start_download(store.plan([]), Format.CSV, formula_guard=True)).decode()
    rows = list(csv.reader(io.StringIO(guarded, newline="")))
    assert [row[0] for row in rows] == ["'=a", "'=1+1", "'+1", "'-1", "'@x", "'\tx", "a=1", "", '\'=HYPERLINK("x,y")']
    assert {row[1] for row in rows[1:]} == {"-1"}
    assert "'" not in store.download("csv").decode()


def test_sorting_more_than_the_limit_is_refused_before_anything_is_read() -> None:
    store = put(pa.table({"a": range(100)}))
    with pytest.raises(SortTooLargeError, match="At most 50 rows"):
        store.plan([("sort", "a")], reading=Reading(max_sort_rows=50))
    with pytest.raises(QueryError):
        store.plan([("sort", "a"), ("limit", "51")], reading=Reading(max_sort_rows=50))
    assert store.download("csv", [("sort", "-a"), ("limit", "2")], Reading(max_sort_rows=50)) == b"a\n99\n98\n"


def test_a_filter_that_leaves_too_many_rows_to_sort_fails_before_the_first_byte() -> None:
    store = put(pa.table({"a": range(100)}))
    download = store.start("csv", [("sort", "a"), ("a__gte", "10")], Reading(max_sort_rows=50, batch_rows=10))
    with pytest.raises(SortTooLargeError):
        next(download)
    assert download.size == 0


def test_bytes_bound_a_sort_too() -> None:
    store = put(pa.table({"a": ["x" * 1000] * 1000}))
    with pytest.raises(SortTooLargeError, match="bytes"):
        store.download("csv", [("sort", "a")], Reading(max_sort_bytes=100_000, batch_rows=10))


def test_only_values_that_repeat_have_a_dictionary() -> None:
    rows = 3_000
    table = pa.table(
        {
            "id": pa.array(range(rows)),
            "a.kind": pa.array([f"kind {number % 7}" for number in range(rows)]),
            "name": pa.array([f"name {number}" for number in range(rows)]),
            "nested": pa.array([{"x": [number]} for number in range(rows)]),
            "last": pa.array([number // 100 for number in range(rows)]),
        }
    )
    data = put(table).download("parquet", [("id__gte", "1")])
    group = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    assert [column.path_in_schema for column in columns if column.has_dictionary_page] == [
        "a.kind",
        "nested.x.list.element",
        "last",
    ]
    assert all(column.is_stats_set for column in columns)
    assert read_back(data).equals(table.slice(1))


def test_row_groups_of_parquet_keep_their_order() -> None:
    rows = 700_000
    store = put(pa.table({"id": pa.array(range(rows)), "half": pa.array([number % 2 for number in range(rows)])}))
    data = store.download("parquet", [("half", "1")])
    assert pq.ParquetFile(pa.BufferReader(data)).num_row_groups > 2
    assert read_back(data)["id"].to_pylist() == list(range(1, rows, 2))


def test_parquet_that_nobody_wants_any_more_is_not_made_in_a_thread_left_behind() -> None:
    store = put(pa.table({"id": pa.array(range(1_000_000)), "one": pa.array([1, 2] * 500_000)}), row_group_size=100_000)
    with store.start("parquet", [("one", "1")]) as download:
        next(download)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("parquet")]
