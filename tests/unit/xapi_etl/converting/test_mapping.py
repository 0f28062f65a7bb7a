"""The column mapping: paths, transforms, selections and errors."""

import json
from typing import Any

import pytest

from tests.unit.xapi_etl.conftest import BUCKET, Environ, Etl, find_event
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl.converting.mapped_columns import Converter
from xapi_etl.converting.mapping import SHIPPED, has_schema, load_mapping, parse_path
from xapi_etl.exceptions import MappingError
from xapi_etl.reading.lines import index_lines
from xapi_etl.schemas import Source

NAMES = [
    *["statement_id", "timestamp", "timestamp_source", "stored", "actor_id", "actor_home_page", "verb_id"],
    *["object_type", "object_id"],
    *["activity_type", "score_raw", "score_min", "score_max", "score_scaled", "success", "completion", "response"],
    *["duration_seconds", "registration", "session_id", "course_id", "organisation", "parent_ids"],
    *["grouping_ids", "platform", "language", "time", "time_from", "time_to"],
    *["length", "progress", "played_segments", "statement", "event_hash", "source_file", "source_etag", "source_line"],
]
FILE = {"name": "source_file", "type": "String", "paths": [], "transform": "source_file"}


def convert(columns: list[dict[str, Any]], *documents: Any, is_fast: bool = True) -> list[dict[str, Any]]:
    converter = Converter(load_mapping(json.dumps(columns)), is_fast)
    data = "\n".join(json.dumps(document) for document in documents * 50).encode()
    converted = converter.convert(index_lines(data), Source("s3://b/k", "e"))
    assert converted.bad == []
    rows: list[dict[str, Any]] = converted.table.to_pylist()
    assert rows == rows[: len(documents)] * 50
    return rows[: len(documents)]


def test_shipped_mapping_has_the_columns_of_the_readme() -> None:
    mapping = load_mapping(SHIPPED.read_bytes())
    assert [column.name for column in mapping.columns] == NAMES
    assert has_schema(mapping.leaves)
    assert (mapping.partition_column, mapping.key_column) == ("timestamp", "statement_id")


def test_paths_are_dotted_or_json_pointers() -> None:
    assert parse_path("a.b c.d") == ("a", "b c", "d")
    assert parse_path("/a/https:~1~1b.c~1d/~01") == ("a", "https://b.c/d", "~1")
    assert parse_path("//a/") == ("", "a", "")


@pytest.mark.parametrize("is_fast", [True, False])
def test_first_hit_wins_and_types_are_kept(is_fast: bool) -> None:
    columns = [
        {"name": "either", "type": "String", "paths": ["a.x", "/b~1c", "d"]},
        {"name": "whole", "type": "Int64", "paths": ["n"]},
        {"name": "count", "type": "UInt64", "paths": ["n"]},
        FILE,
    ]
    found = convert(columns, {"a": {"x": None}, "b/c": "2"}, {"d": "3", "n": 7}, {"a": {"x": ""}}, is_fast=is_fast)
    assert [row["either"] for row in found] == ["2", "3", ""]
    assert [row["whole"] for row in found] == [None, 7, None]
    assert [row["count"] for row in found] == [None, 7, None]


@pytest.mark.parametrize(
    "columns",
    [
        [{"name": "all", "type": "String", "paths": ["a"], "transform": "json"}],
        [
            {"name": "n", "type": "Float64", "paths": ["a.n"]},
            {"name": "all", "type": "String", "paths": ["a"], "transform": "json"},
        ],
        [{"name": "n", "type": "Float64", "paths": ["a.n"]}, {"name": "i", "type": "Int64", "paths": ["a.n"]}],
        [FILE],
    ],
)
def test_mapping_without_a_fast_path(columns: list[dict[str, Any]]) -> None:
    assert not has_schema(load_mapping(json.dumps(columns)).leaves)
    (row,) = convert(columns, {"a": {"n": 1, "ü": [None]}})
    expected = {"all": '{"n":1,"ü":[null]}', "n": 1.0, "i": 1, "source_file": "s3://b/k"}
    assert row == {column["name"]: expected[column["name"]] for column in columns}


WRONG = [
    ("{", "not JSON"),
    ("{}", "not a list"),
    ("[]", "not a list"),
    ("[5]", "column 1 of the mapping has no name"),
    ('[{"name": "a", "type": "Text", "paths": ["a"]}]', "type 'Text'"),
    ('[{"name": "a", "type": "String", "paths": ["a"], "transform": "rot13"}]', "transform 'rot13'"),
    ('[{"name": "a", "type": "Bool", "paths": ["a"], "transform": "lowercase"}]', "gives String, not Bool"),
    ('[{"name": "a", "type": "String", "paths": []}]', "has no paths"),
    ('[{"name": "a", "type": "String", "paths": "a"}]', "not a list of texts"),
    ('[{"name": "a", "type": "String", "paths": ["a"], "transform": "line"}]', "needs no paths"),
    ('[{"name": "a", "type": "String", "paths": ["a..b"]}]', "empty part"),
    ('[{"name": "a", "type": "String", "paths": ["a"], "partition": "month"}]', "not DateTime64"),
    ('[{"name": "a", "type": "Bool", "paths": ["a"], "key": true}]', "key is not"),
    ('[{"name": "a", "type": "String", "paths": ["a"], "path": 1}]', "unknown keys: path"),
    ('[{"name": "a", "type": "String", "paths": ["a.\\ud800"]}]', "unpaired surrogate"),
    (json.dumps([FILE, FILE]), "several columns source_file"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_wrong_mapping_is_explained(text: str, problem: str) -> None:
    with pytest.raises(MappingError, match=problem):
        load_mapping(text)


def test_custom_mapping_is_read_from_s3(etl: Etl, environ: Environ) -> None:
    columns = [column for column in json.loads(SHIPPED.read_bytes()) if column["name"] != "verb_id"]
    columns.append({"name": "verb_id", "type": "String", "paths": ["verb.display.en-US"]})
    etl.s3.put_object(Bucket="quarantine", Key="columns.json", Body=json.dumps(columns).encode())
    environ(COLUMN_MAP_S3_URI="s3://quarantine/columns.json")
    assert etl.deliver(etl.put("statements/a.jsonl", write_lines(make_statements(3)))) == []
    assert {row["verb_id"] for row in etl.rows()} <= {
        "played",
        "paused",
        "seeked",
        "completed",
        "answered",
        "experienced",
    }


@pytest.mark.parametrize("body", [None, b"[]"])
def test_mapping_that_cannot_be_used_fails_every_message(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture, body: bytes | None
) -> None:
    if body is not None:
        etl.s3.put_object(Bucket="quarantine", Key="columns.json", Body=body)
    environ(COLUMN_MAP_S3_URI="s3://quarantine/columns.json")
    bodies = [etl.put(f"statements/{name}.jsonl", b"{}") for name in "ab"]
    assert etl.deliver(*bodies) == bodies
    expected = "the column mapping is not a list of columns" if body else "cannot be read: NoSuchKey"
    assert expected in find_event(caplog, "batch_failed").error


def test_insert_columns_choose_and_order(etl: Etl, environ: Environ) -> None:
    environ(CLICKHOUSE_INSERT_COLUMNS="verb_id, `statement_id`,source_file,source_etag,source_line")
    body = etl.put("statements/a.jsonl", write_lines(make_statements(2)))
    assert etl.deliver(body) == []
    assert etl.deliver(body) == []
    rows = etl.rows()
    assert len(rows) == 2
    assert all(row["verb_id"] and row["actor_id"] is None and row["statement"] == "" for row in rows)


def test_insert_columns_that_are_not_mapped_are_named(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    environ(CLICKHOUSE_INSERT_COLUMNS="verb_id,nothing")
    body = etl.put("statements/a.jsonl", b"{}")
    assert etl.deliver(body) == [body]
    assert "names nothing" in find_event(caplog, "batch_failed").error
    assert etl.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
