"""ClickHouse's own Python client against the offline ClickHouse."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.support.clickhouse_server import run_clickhouse

COLUMNS = {
    "id": "UInt64",
    "signed": "Int64",
    "text": "Nullable(String)",
    "low": "LowCardinality(Nullable(String))",
    "moment": "DateTime64(3, 'UTC')",
    "stored": "Nullable(DateTime64(3, 'UTC'))",
    "number": "Nullable(Float64)",
    "flag": "Nullable(Bool)",
    "words": "Array(String)",
    "pairs": "Array(Tuple(Float64, Float64))",
}
MOMENT = datetime(2026, 2, 28, 23, 59, 59, 999_000, tzinfo=UTC)
OLD = datetime(1969, 12, 31, 23, 59, 59, 1_000, tzinfo=UTC)
ROWS: list[list[Any]] = [
    [0, -(2**63), None, None, MOMENT, None, None, None, [], []],
    [2**64 - 1, 2**63 - 1, "", "", OLD, OLD, -0.5, False, [""], [(0.0, 12.5)]],
    [
        7,
        0,
        "zwölf \U0001f642 'quoted' \\ \t\n\x00",
        "low",
        MOMENT,
        MOMENT,
        1e308,
        True,
        ["é", "b"],
        [(1.0, 2.0), (3.0, 4.0)],
    ],
]


def connect(url: str, **options: Any) -> Client:
    parts = urlsplit(url)
    return clickhouse_connect.get_client(host=parts.hostname, port=parts.port or 0, tz_mode="aware", **options)


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with connect(url) as made:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        made.command(f"CREATE TABLE all_types ({columns}) ENGINE = MergeTree ORDER BY id")
        yield made


@pytest.mark.parametrize("compression", [False, "lz4", "zstd", "gzip"])
def test_rows_of_every_type_round_trip(client: Client, url: str, compression: Any) -> None:
    with connect(url, compress=compression) as other:
        other.insert("all_types", ROWS, column_names=list(COLUMNS))
        found = other.query("SELECT * FROM all_types ORDER BY toInt64(id = 7), id").result_rows
    assert [list(row) for row in found] == ROWS


def test_arrow_table_round_trips(client: Client) -> None:
    client.insert("all_types", ROWS, column_names=list(COLUMNS))
    table = client.query_arrow("SELECT * FROM all_types ORDER BY id")
    client.command("CREATE TABLE again AS all_types")
    client.insert_arrow("again", table)
    assert (
        client.query("SELECT * FROM again ORDER BY id").result_rows
        == client.query("SELECT * FROM all_types ORDER BY id").result_rows
    )


def test_server_version(client: Client) -> None:
    assert client.server_version == client.command("SELECT version()")
    assert str(client.server_tz) == "UTC"
    assert client.ping()


def test_many_rows_are_read_as_a_stream(client: Client) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(200000)") as blocks:
        assert sum(len(block) for block in blocks) == 200_000


def test_parameters_and_settings(client: Client) -> None:
    sql = "SELECT {text:String}, {moment:DateTime64(3)}, getSetting('max_insert_threads')"
    given = {"text": "it's", "moment": MOMENT}
    found = client.query(sql, parameters=given, settings={"max_insert_threads": 1}).result_rows
    assert found == [("it's", MOMENT, 1)]


def test_errors_raise(client: Client) -> None:
    with pytest.raises(DatabaseError, match=r"(?i)code: 60"):
        client.query("SELECT * FROM nothing")
    with pytest.raises(DatabaseError, match=r"(?i)code: 130"):
        client.insert("all_types", [["x"]], column_names=["words"], column_type_names=["String"])


def test_wrong_password_raises() -> None:
    with run_clickhouse(password="right") as url:
        with pytest.raises(DatabaseError, match="516"):
            connect(url, password="wrong")
        with connect(url, password="right") as client:
            assert client.command("SELECT 1") == 1
