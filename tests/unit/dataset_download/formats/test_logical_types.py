# ruff: noqa: DTZ001 - columns without a time zone hold times without one
"""Every logical type of Parquet in every format, read back by independent readers."""

import base64
import csv
import io
import json
import math
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from dataset_download.exceptions import CorruptDatasetError
from tests.unit.dataset_download.memory_s3 import put, read_back

HOSTILE = [
    "", " ", ",", '"', '""', "a,b", 'say "hi"', "line\nbreak", "line\r\nbreak", "\t", "\\", "\\n", "null", "NaN", "é",
    "日本語", "👩‍👩‍👧", "\u2028", "\x00", "\x01\x1f", "\x7f", "</script>", "'", "=1+1", None,
]  # fmt: skip
LONDON = [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, 12, 30, 15, 250000, tzinfo=UTC), None]
SCALARS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "bool": (pa.bool_(), [True, False, None]),
    "int8": (pa.int8(), [-128, 127, None]),
    "int16": (pa.int16(), [-(2**15), 2**15 - 1, None]),
    "int32": (pa.int32(), [-(2**31), 2**31 - 1, None]),
    "int64": (pa.int64(), [-(2**63), 2**63 - 1, 2**53 + 1, None]),
    "uint8": (pa.uint8(), [0, 255, None]),
    "uint16": (pa.uint16(), [0, 2**16 - 1, None]),
    "uint32": (pa.uint32(), [0, 2**32 - 1, None]),
    "uint64": (pa.uint64(), [0, 2**64 - 1, None]),
    "float16": (pa.float16(), [0.5, -2.0, None]),
    "float32": (pa.float32(), [0.5, -1e30, 3.25, None]),
    "float64": (pa.float64(), [0.1, 1e22, 5e-324, -1.7976931348623157e308, 2.0, None]),
    "decimal": (
        pa.decimal128(38, 10),
        [Decimal("1234567890123456789012345678.0123456789"), Decimal("1E-10"), Decimal("-0.5"), None],
    ),
    "decimal_small": (pa.decimal128(5, 2), [Decimal("999.99"), Decimal("0.00"), None]),
    "decimal_256": (pa.decimal256(60, 3), [Decimal("1" * 57 + ".123"), None]),
    "string": (pa.string(), HOSTILE),
    "large_string": (pa.large_string(), HOSTILE),
    "string_view": (pa.string_view(), HOSTILE),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), ["a", 'b"', "a", "c,d", None]),
    "date32": (pa.date32(), [date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31), None]),
    "date64": (pa.date64(), [date(1970, 1, 1), date(2024, 2, 29), None]),
    "time32": (pa.time32("ms"), [time(0, 0), time(23, 59, 59, 999000), None]),
    "time64": (pa.time64("us"), [time(12, 30, 15, 123456), None]),
    "timestamp_ms": (pa.timestamp("ms"), [datetime(1, 1, 1), datetime(2024, 5, 31, 9, 30, 0, 5000), None]),
    "timestamp_us": (pa.timestamp("us"), [datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(1969, 12, 31), None]),
    "timestamp_utc": (pa.timestamp("us", "UTC"), LONDON),
    "timestamp_london": (pa.timestamp("us", "Europe/London"), LONDON),
    "timestamp_fixed": (pa.timestamp("ms", "-03:30"), LONDON),
    "binary": (pa.binary(), [b"", b"\x00\xff", b"abc", None]),
    "fixed_binary": (pa.binary(3), [b"\x00\x01\x02", b"abc", None]),
    "null": (pa.null(), [None, None]),
}  # fmt: skip
PARSERS: dict[str, Callable[[str], Any]] = {
    "bool": lambda text: {"true": True, "false": False}[text],
    "int": int,
    "uint": int,
    "float": float,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "binary": base64.b64decode,
    "fixed_binary": base64.b64decode,
}


def find_parser(name: str) -> Callable[[str], Any]:
    return next((parse for prefix, parse in sorted(PARSERS.items(), reverse=True) if name.startswith(prefix)), str)


def make_table(name: str) -> pa.Table:
    type_, values = SCALARS[name]
    return pa.table({"id": pa.array(range(len(values)), pa.int64()), "value": pa.array(values, type_)})


def read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


@pytest.mark.parametrize("name", SCALARS)
def test_csv_gives_back_every_value(name: str) -> None:
    table = make_table(name)
    header, *rows = read_csv(put(table).download("csv"))
    assert header == ["id", "value"]
    parse = find_parser(name)
    wanted = SCALARS[name][1]
    found = [
        None if text == "" and value is None else parse(text) for (_, text), value in zip(rows, wanted, strict=True)
    ]
    assert found == wanted


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("format_", ["json", "jsonl"])
def test_json_gives_back_every_value(name: str, format_: str) -> None:
    data = put(make_table(name)).download(format_)
    lines = [data] if format_ == "json" else data.splitlines()
    read = [json.loads(line, parse_float=Decimal) for line in lines]
    rows = read[0] if format_ == "json" else read
    parse = find_parser(name)
    found = [row["value"] for row in rows]
    assert [value if value is None or isinstance(value, bool) else parse(str(value)) for value in found] == SCALARS[
        name
    ][1]


@pytest.mark.parametrize("name", SCALARS)
def test_filtered_parquet_has_the_source_s_schema_and_values(name: str) -> None:
    source = make_table(name)
    store = put(source)
    found = read_back(store.download("parquet", [("id__gte", "0")]))
    original = read_back(store.objects["data.parquet"])
    assert found.schema.equals(original.schema, check_metadata=True)
    assert found.equals(original)


@pytest.mark.parametrize("name", SCALARS)
def test_empty_parquet_has_the_source_s_schema(name: str) -> None:
    store = put(make_table(name))
    found = read_back(store.download("parquet", [("id", "-1")]))
    assert found.num_rows == 0
    assert found.schema.equals(read_back(store.objects["data.parquet"]).schema, check_metadata=True)


def test_offsets_are_written_with_a_colon_and_times_with_a_t() -> None:
    rows = read_csv(put(make_table("timestamp_london")).download("csv"))
    assert [text for _, text in rows[1:]] == [
        "2024-01-01T00:00:00.000000+00:00",
        "2024-07-01T13:30:15.250000+01:00",
        "",
    ]


def test_local_times_agree_with_zoneinfo_at_every_change_of_the_clock() -> None:
    start = datetime(2023, 10, 28, tzinfo=UTC)
    moments = [start + timedelta(minutes=30 * step) for step in range(24 * 2 * 200)]
    for zone in ("Europe/London", "Australia/Lord_Howe", "America/St_Johns"):
        table = pa.table({"value": pa.array(moments, pa.timestamp("us", zone))})
        rows = read_csv(put(table).download("csv"))[1:]
        assert [row[0] for row in rows] == [
            value.isoformat(timespec="microseconds") for value in table["value"].to_pylist()
        ]


def test_nan_and_infinities_are_null_in_json_and_empty_in_csv() -> None:
    table = pa.table({"a": [1.5, math.nan, math.inf, -math.inf], "b": pa.array([math.nan, 1, 2, 3], pa.float32())})
    store = put(table)
    assert [row["a"] for row in json.loads(store.download("json"))] == [1.5, None, None, None]
    assert read_csv(store.download("csv")) == [["a", "b"], ["1.5", ""], ["", "1"], ["", "2"], ["", "3"]]


def test_nanoseconds_are_kept() -> None:
    table = pa.table({"a": pa.array([1, 10**18 + 1], pa.timestamp("ns")), "b": pa.array([1, 2], pa.time64("ns"))})
    assert read_csv(put(table).download("csv"))[1:] == [
        ["1970-01-01T00:00:00.000000001", "00:00:00.000000001"],
        ["2001-09-09T01:46:40.000000001", "00:00:00.000000002"],
    ]


def test_nanoseconds_are_filtered_exactly() -> None:
    table = pa.table({"a": pa.array([10**18, 10**18 + 1, 10**18 + 2], pa.timestamp("ns"))})
    store = put(table)
    times = [f"2001-09-09T01:46:40.00000000{digit}" for digit in (1, 2)]
    assert [row[0] for row in read_csv(store.download("csv", [("a", text) for text in times]))[1:]] == times
    assert store.plan([("a__gte", times[0])]).query.canonical != store.plan([("a__gte", times[1])]).query.canonical
    assert store.plan([("a__gt", times[1])]).row_count == 0


def test_years_beyond_four_digits_are_written() -> None:
    table = pa.table({"a": pa.array([-99999999999000, 253402300800000], pa.timestamp("ms"))})
    assert [row[0] for row in read_csv(put(table).download("csv"))[1:]] == [
        "-1199-02-15T14:13:21.000",
        "10000-01-01T00:00:00.000",
    ]


def test_durations_are_seconds() -> None:
    table = pa.table(
        {"a": pa.array([0, 90_500, -1, -(2**63)], pa.duration("ms")), "b": pa.array([1, -1, 0, 60], pa.duration("s"))}
    )
    assert read_csv(put(table).download("csv"))[1:] == [
        ["PT0.000S", "PT1S"],
        ["PT90.500S", "-PT1S"],
        ["-PT0.001S", "PT0S"],
        ["-PT9223372036854775.808S", "PT60S"],
    ]


def test_uuids_are_written_as_such() -> None:
    value = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")
    store = put(pa.table({"id": pa.array([value.bytes, None], pa.uuid())}))
    assert json.loads(store.download("json")) == [{"id": str(value)}, {"id": None}]
    assert len(json.loads(store.download("json", [("id", str(value))]))) == 1


NESTED = pa.schema(
    [
        pa.field("list", pa.list_(pa.string())),
        pa.field("numbers", pa.large_list(pa.int64())),
        pa.field("fixed", pa.list_(pa.float64(), 2)),
        pa.field("struct", pa.struct([("a", pa.int64()), ('b"', pa.string()), ("c", pa.struct([("d", pa.date32())]))])),
        pa.field("map", pa.map_(pa.string(), pa.int64())),
        pa.field("deep", pa.list_(pa.struct([("x", pa.list_(pa.decimal128(10, 2))), ("y", pa.bool_())]))),
    ]
)  # fmt: skip
NESTED_ROWS = [
    {"list": ["a", 'q"', "x,y", "\n", None, ""], "numbers": [2**63 - 1, None], "fixed": [1.5, 2.5],
     "struct": {"a": 1, 'b"': "é", "c": {"d": date(2024, 1, 1)}}, "map": [("k", 1), ('k"2', None)],
     "deep": [{"x": [Decimal("1.25"), None], "y": True}, None, {"x": None, "y": None}, {"x": [], "y": False}]},
    {"list": [], "numbers": [], "fixed": None, "struct": {"a": None, 'b"': None, "c": None}, "map": [], "deep": []},
    {"list": None, "numbers": None, "fixed": [0.0, 1.0], "struct": None, "map": None, "deep": None},
]  # fmt: skip
NESTED_JSON = [
    {"list": ["a", 'q"', "x,y", "\n", None, ""], "numbers": [2**63 - 1, None], "fixed": [1.5, 2.5],
     "struct": {"a": 1, 'b"': "é", "c": {"d": "2024-01-01"}}, "map": {"k": 1, 'k"2': None},
     "deep": [{"x": [1.25, None], "y": True}, None, {"x": None, "y": None}, {"x": [], "y": False}]},
    {"list": [], "numbers": [], "fixed": None, "struct": {"a": None, 'b"': None, "c": None}, "map": {}, "deep": []},
    {"list": None, "numbers": None, "fixed": [0.0, 1.0], "struct": None, "map": None, "deep": None},
]  # fmt: skip


def test_nested_values_stay_nested_in_json() -> None:
    store = put(pa.Table.from_pylist(NESTED_ROWS, NESTED))
    assert json.loads(store.download("json")) == NESTED_JSON


def test_nested_values_are_json_text_in_csv() -> None:
    store = put(pa.Table.from_pylist(NESTED_ROWS, NESTED))
    header, *rows = read_csv(store.download("csv"))
    assert [
        {name: json.loads(text or "null") for name, text in zip(header, row, strict=True)} for row in rows
    ] == NESTED_JSON


def test_nested_values_survive_filters_in_parquet() -> None:
    store = put(pa.Table.from_pylist(NESTED_ROWS, NESTED))
    original = read_back(store.objects["data.parquet"])
    assert read_back(store.download("parquet", [("list__isnull", "false")])).equals(original.slice(0, 2))
    assert json.loads(store.download("json", [("list__isnull", "false"), ("offset", "1")])) == NESTED_JSON[1:2]


def test_map_keys_of_other_types_become_text() -> None:
    type_ = pa.map_(pa.int32(), pa.list_(pa.string()))
    store = put(pa.table({"map": pa.array([[(1, ["a"]), (2, None)]], type_)}))
    assert json.loads(store.download("json")) == [{"map": {"1": ["a"], "2": None}}]


def test_duckdb_reads_the_csv_as_it_reads_the_source(tmp_path: Path) -> None:
    names = ["bool", "int64", "float64", "decimal_small", "date32", "timestamp_us", "string"]
    columns = {
        name: pa.array([SCALARS[name][1][row % len(SCALARS[name][1])] for row in range(60)], SCALARS[name][0])
        for name in names
    }
    columns["string"] = pa.array([["", "a,b", 'q"', "two\nlines", "é", None][row % 6] for row in range(60)])
    store = put(pa.table(columns))
    (tmp_path / "data.parquet").write_bytes(store.objects["data.parquet"])
    (tmp_path / "data.csv").write_bytes(store.download("csv"))
    (tmp_path / "data.json").write_bytes(store.download("json"))
    types = [("bool", "BOOLEAN"), ("int64", "BIGINT"), ("float64", "DOUBLE"), ("decimal_small", "DECIMAL(5,2)"),
             ("date32", "DATE"), ("timestamp_us", "TIMESTAMP"), ("string", "VARCHAR")]  # fmt: skip
    described = "{" + ", ".join(f"'{name}': '{type_}'" for name, type_ in types) + "}"
    with duckdb.connect() as connection:
        source = connection.execute(f"FROM '{tmp_path}/data.parquet'").fetchall()
        from_csv = connection.execute(
            f"FROM read_csv('{tmp_path}/data.csv', columns={described}, header=true, allow_quoted_nulls=false, "
            "strict_mode=true, quote='\"', escape='\"', delim=',')"
        ).fetchall()
        from_json = connection.execute(f"FROM read_json('{tmp_path}/data.json', columns={described})").fetchall()
    assert len(source) == 60
    assert from_csv == source
    assert from_json == source


def test_text_that_is_not_utf_8_is_refused() -> None:
    column = pa.array([b"fine", b"\xff\xfe"], pa.binary()).view(pa.string())
    store = put(pa.table({"text": column}))
    with pytest.raises(CorruptDatasetError, match="UTF-8"):
        store.download("json")


def test_a_fixed_offset_is_the_zone_s() -> None:
    rows = read_csv(put(make_table("timestamp_fixed")).download("csv"))
    assert datetime.fromisoformat(rows[1][1]).tzinfo == timezone(-timedelta(hours=3, minutes=30))


def test_a_map_key_that_is_not_a_number_is_json_all_the_same() -> None:
    entries = [[(1.5, "a"), (float("nan"), "b")]]
    store = put(pa.table({"m": pa.array(entries, pa.map_(pa.float64(), pa.string()))}))
    assert json.loads(store.download("json")) == [{"m": {"1.5": "a", "null": "b"}}]


@pytest.mark.parametrize(("missing", "expected"), [("true", [2]), ("false", [1, 3])])
def test_nulls_within_tensors_are_not_nulls(missing: str, expected: list[int]) -> None:
    storage = pa.array([[1, None], None, [None, 4]], pa.list_(pa.int32(), 2))
    tensors = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.int32(), [2]), storage)
    store = put(pa.table({"tensor": tensors, "id": [1, 2, 3]}))
    rows = json.loads(store.download("json", [("tensor__isnull", missing), ("select", "id")]))
    assert [row["id"] for row in rows] == expected
