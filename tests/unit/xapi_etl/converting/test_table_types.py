"""Exact conversion into the table's types: a value that does not fit makes its line bad."""

import json
from typing import Any

import pytest

from clickhouse.apply import apply_schema
from tests.unit.xapi_etl.conftest import BUCKET, Environ, Etl, find_event
from xapi_etl.converting.table_types import parse_type

EXACT: list[tuple[str, Any, str]] = [
    ("Nullable(DateTime64(3))", "2025-03-04T05:06:07.123Z", "2025-03-04 05:06:07.123"),
    ("DateTime64(3, 'UTC')", "2025-03-04T05:06:07.123+05:30", "2025-03-03 23:36:07.123"),
    ("DateTime64(6, 'UTC')", "2025-03-04T05:06:07.123456Z", "2025-03-04 05:06:07.123456"),
    ("DateTime64(9, 'UTC')", "2025-03-04 05:06:07.123456789", "2025-03-04 05:06:07.123456789"),
    ("DateTime64(3, 'UTC')", "1960-01-01T00:00:00.5Z", "1960-01-01 00:00:00.500"),
    ("DateTime('UTC')", "2025-03-04T05:06:07Z", "2025-03-04 05:06:07"),
    ("DateTime('UTC')", 1741064767, "2025-03-04 05:06:07"),
    ("Date", "2025-03-04", "2025-03-04"),
    ("Date32", "1925-03-04T00:00:00Z", "1925-03-04"),
    ("Nullable(Int64)", -(2**63), str(-(2**63))),
    ("Nullable(Int64)", "12", "12"),
    ("Nullable(Int64)", 3.0, "3"),
    ("UInt8", 255, "255"),
    ("UInt64", 2**64 - 1, str(2**64 - 1)),
    ("Int16", -32768, "-32768"),
    ("Float64", 0.1, "0.1"),
    ("Float64", 2**53, str(2**53)),
    ("Nullable(Float32)", 0.5, "0.5"),
    ("Float32", 0.1, "0.1"),
    ("Nullable(Bool)", True, "true"),
    ("Nullable(UUID)", "10000000-0000-4000-8000-00000000000A", "10000000-0000-4000-8000-00000000000a"),
    ("LowCardinality(Nullable(String))", "ü", "ü"),
    ("String", {"a": [1, None]}, '{"a":[1,null]}'),
    ("String", 1.5, "1.5"),
    ("FixedString(2)", "ab", "ab"),
    ("Enum8('a' = 1, 'b\\'c' = 2)", "b'c", "b'c"),
    ("Decimal(10, 2)", 12.34, "12.34"),
    ("Nullable(Decimal(38, 10))", "0.0000000001", "0.0000000001"),
    ("Nullable(IPv4)", "192.0.2.1", "192.0.2.1"),
    ("Nullable(IPv6)", "2001:db8::1", "2001:db8::1"),
    ("Array(String)", ["a", "b"], "['a','b']"),
    ("Array(Nullable(Int32))", [1, None], "[1,NULL]"),
]
INEXACT_VALUES: dict[str, tuple[Any, ...]] = {
    "Nullable(DateTime)": ("2025-03-04T05:06:07.5Z", "1960-01-01", "2200-01-01", -1, "x"),
    "Nullable(Date)": ("2025-03-04T05:06:07Z", "1960-01-01", "2025-02-30", 7),
    "Nullable(Int64)": ("abc", 1.5, 2**63, True, "1.0", " 1", "", [], {}, "1e3", "٣"),
    "Nullable(UInt8)": (256, -1, 1.5, "256"),
    "Nullable(Float64)": ("abc", True, 2**53 + 1, "1e999", "nan", "0.1234567890123456789", []),
    "Nullable(Float32)": (1e300, 0.123456789012, 16777217),
    "Nullable(Bool)": (1, 0, "true"),
    "Nullable(UUID)": ("x", "", "10000000-0000-4000-8000-00000000000", 7),
    "Nullable(FixedString(2))": ("abc", "üü", 7),
    "Nullable(Enum8('a' = 1))": ("b", 1, ""),
    "Nullable(Decimal(5, 2))": (1000, 0.001, "x", True, "1e400"),
    "Nullable(IPv4)": ("192.0.2.256", "::1", 7),
    "Nullable(IPv6)": ("192.0.2.1", "x"),
    "Array(String)": ("a", [None], {"a": 1}, ["a\ud83d"]),
    "Array(Int8)": ([1, "x"], [1000], 1),
    "Nullable(String)": ("\ud83d",),
    "DateTime64(3)": (None,),
    "Date": (None,),
}
INEXACT = [(kind, value) for kind, values in INEXACT_VALUES.items() for value in values]
LINEAGE = "source_file String, source_etag String, source_line UInt64"


def make_table(etl: Etl, *types: str) -> None:
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(types))
    etl.query(f"CREATE OR REPLACE TABLE xapi.typed ({columns}, {LINEAGE}) ENGINE = MergeTree ORDER BY source_line")


def test_values_are_stored_exactly(etl: Etl, environ: Environ) -> None:
    make_table(etl, *(kind for kind, _, _ in EXACT))
    environ(COLUMN_MAP="auto", CLICKHOUSE_TABLE="typed")
    line = json.dumps({f"c{number}": value for number, (_, value, _) in enumerate(EXACT)}).encode()
    assert etl.deliver(etl.put("statements/a.jsonl", line)) == []
    found = [etl.query(f"SELECT toString(c{number}) FROM xapi.typed FORMAT TSVRaw") for number in range(len(EXACT))]
    assert found == [expected for _, _, expected in EXACT]


def test_values_that_do_not_fit_make_their_lines_bad(etl: Etl, environ: Environ) -> None:
    make_table(etl, *(kind for kind, _ in INEXACT))
    environ(COLUMN_MAP="auto", CLICKHOUSE_TABLE="typed", BAD_LINES="quarantine")
    good = {f"c{number}": value for number, (kind, value) in enumerate(INEXACT) if kind in {"DateTime64(3)", "Date"}}
    good = dict.fromkeys(good, "2025-01-01")
    lines = [json.dumps(good | {f"c{number}": value}) for number, (_, value) in enumerate(INEXACT)]
    assert etl.deliver(etl.put("statements/a.jsonl", "\n".join([json.dumps(good), *lines]).encode())) == []
    assert etl.query("SELECT count() FROM xapi.typed") == "1"
    records = etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)
    codes = [record["reason_code"] for record in records]
    expected = [
        f"{'missing' if value is None else 'wrong_type'}:c{number}" for number, (_, value) in enumerate(INEXACT)
    ]
    assert codes == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("Nullable(DateTime64(6))", "2025-03-04T05:06:07.1Z", "2025-03-04"),
        ("Date", "2025-03-04T00:00:00Z", "2025-03-04"),
    ],
)
def test_custom_mapping_into_other_types_is_exact(
    etl: Etl, environ: Environ, kind: str, text: str, expected: str
) -> None:
    make_table(etl, kind, "Nullable(Int8)", "Nullable(UUID)", "String")
    mapping = [
        {"name": "c0", "type": "DateTime64(3)", "paths": ["t"]},
        {"name": "c1", "type": "Float64", "paths": ["n"]},
        {"name": "c2", "type": "String", "paths": ["u"]},
        {"name": "c3", "type": "DateTime64(3)", "paths": ["t"]},
    ]
    etl.s3.put_object(Bucket=BUCKET, Key="map.json", Body=json.dumps(mapping).encode())
    environ(COLUMN_MAP_S3_URI=f"s3://{BUCKET}/map.json", CLICKHOUSE_TABLE="typed", BAD_LINES="skip")
    lines = [
        {"t": text, "n": 7},
        {"t": text, "n": 7.5},
        {"t": text, "n": 128},
        {"t": text, "u": "x"},
        {"t": text, "n": -1.0},
    ]
    assert etl.deliver(etl.put("statements/a.jsonl", "\n".join(map(json.dumps, lines)).encode())) == []
    assert etl.query("SELECT groupArray(c1) FROM (SELECT c1 FROM xapi.typed ORDER BY c1)") == "[-1,7]"
    assert etl.query("SELECT any(toDate(c0)), any(c3) FROM xapi.typed").startswith(f"{expected}\t2025-03-04T")


def test_keys_without_a_column_are_logged_and_counted(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    columns = f"a Int64, b Int64 ALIAS a, c Int64 MATERIALIZED a, {LINEAGE}"
    etl.query(f"CREATE OR REPLACE TABLE xapi.typed ({columns}) ENGINE = MergeTree ORDER BY a")
    environ(COLUMN_MAP="auto", CLICKHOUSE_TABLE="typed")
    assert etl.deliver(etl.put("statements/a.jsonl", b'{"a":1,"b":2,"x":3}\n{"a":1,"c":4,"x":5}')) == []
    complete = find_event(caplog, "batch_complete")
    assert complete.dropped_keys == {"b": 1, "c": 1, "x": 2}
    assert find_event(caplog, "keys_dropped").lines_by_key == {"b": 1, "c": 1, "x": 2}


def test_older_table_is_filled_without_missing_columns(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    etl.query("CREATE OR REPLACE TABLE xapi.older AS xapi.statements")
    etl.query("ALTER TABLE xapi.older DROP COLUMN timestamp_source, DROP COLUMN course_id, DROP COLUMN parent_ids")
    environ(CLICKHOUSE_TABLE="older")
    assert etl.deliver(etl.put("statements/a.jsonl", b'{"id":"a"}')) == []
    assert etl.query("SELECT count() FROM xapi.older") == "1"
    assert find_event(caplog, "columns_missing").columns == ["timestamp_source", "course_id", "parent_ids"]
    for _ in range(2):
        apply_schema(etl.url, {}, "xapi", "older")
    assert etl.deliver(etl.put("statements/b.jsonl", b'{"id":"b"}')) == []
    found = etl.query("SELECT statement_id, timestamp_source FROM xapi.older ORDER BY statement_id FORMAT CSV")
    assert found == '"a",""\n"b","arrival"'
    names = [json.loads(line)[0] for line in etl.query("DESCRIBE xapi.older FORMAT JSONCompactEachRow").splitlines()]
    shipped = etl.query("DESCRIBE xapi.statements FORMAT JSONCompactEachRow").splitlines()
    assert names == [json.loads(line)[0] for line in shipped]


@pytest.mark.parametrize(
    "name", ["Nullable(LowCardinality(String))", "Map(String, Int8)", "Tuple(a Int8)", "Variant(Int8)"]
)
def test_any_type_is_read(name: str) -> None:
    assert parse_type(name).name == name
