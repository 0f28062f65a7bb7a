"""ClickHouse's HTTP interface as `requests` and `curl` use it."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import zstandard

from tests.support.clickhouse_server import query, run_clickhouse

from .rows import INSERT_STATEMENTS, make_parquet

COUNT = "SELECT count() FROM xapi.statements"


def make_table(url: str) -> None:
    query(url, "CREATE TABLE lines (number UInt32, text Nullable(String)) ENGINE = MergeTree ORDER BY number")


@pytest.mark.parametrize("path", ["/ping", "/replicas_status", "/"])
def test_health(url: str, path: str) -> None:
    answer = requests.get(url + path, timeout=10)
    assert (answer.status_code, answer.text) == (200, "Ok.\n")


def test_unknown_path_is_not_found(url: str) -> None:
    assert requests.get(f"{url}/nothing", timeout=10).status_code == 404
    assert requests.post(f"{url}/nothing", data=b"x" * 100_000, timeout=10).status_code == 404


def test_query_in_url_or_body_or_both(url: str) -> None:
    assert requests.get(url, params={"query": "SELECT 1"}, timeout=10).text == "1\n"
    assert requests.post(url, params={"query": "SELECT 1"}, timeout=10).text == "1\n"
    assert requests.post(url, data="SELECT 1", timeout=10).text == "1\n"
    assert requests.post(url, params={"query": "SELECT 1 +"}, data="1", timeout=10).text == "2\n"
    assert requests.post(url, data=iter([b"SEL", b"ECT 1"]), timeout=10).text == "1\n"


def test_headers_describe_the_response(url: str) -> None:
    asked = {"query": "SELECT 1 AS x FORMAT JSONEachRow", "query_id": "mine"}
    answer = requests.post(url, params=asked, timeout=10)
    assert answer.json() == {"x": 1}
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Timezone"] == "UTC"
    assert answer.headers["X-ClickHouse-Server-Display-Name"]
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["read_rows"] == "1"


def test_default_format_and_database(url: str) -> None:
    asked = {"default_format": "JSONCompactEachRow", "database": "xapi"}
    assert requests.post(url, params=asked, data="SELECT currentDatabase()", timeout=10).text == '["xapi"]\n'


def test_query_parameters_are_values_not_text(url: str) -> None:
    given = {"param_text": "it's \\N", "param_list": "['a','b']"}
    answer = requests.post(url, params=given, data="SELECT length({text:String}), {list:Array(String)}", timeout=10)
    # The backslash is an escape in such a value: \N is NULL only where the type may be.
    assert answer.text.split("\t")[1] == "['a','b']\n"


def test_settings_hold_for_their_query_only(url: str) -> None:
    asked = "SELECT getSetting('max_insert_threads'), getSetting('insert_deduplication_token')"
    settings = {"max_insert_threads": "1", "insert_deduplication_token": "a'b\\c", "select_sequential_consistency": "1"}
    assert query(url, asked, None, **settings, wait_end_of_query="1", async_insert="0") == "1\ta\\'b\\\\c"
    assert query(url, asked).endswith("\t")


@pytest.mark.parametrize(
    ("sql", "settings", "status", "code"),
    [
        ("SELECT nothing", {}, 404, 47),
        ("SELECT * FROM nothing", {}, 404, 60),
        ("SELEC 1", {}, 400, 62),
        ("", {}, 400, 62),
        ("SELECT 1; SELECT 2", {}, 400, 62),
        ("SELECT 1 FORMAT Nothing", {}, 404, 73),
        ("SELECT 1", {"no_such_setting": "1"}, 404, 115),
        ("SELECT 1", {"max_threads": "many"}, 400, 27),
        ("SELECT 1", {"database": "nothing"}, 404, 81),
        ("SELECT {x:UInt8}", {}, 500, 456),
        ("SELECT throwIf(1)", {}, 500, 395),
        ("INSERT INTO nothing FORMAT JSONEachRow\n{}", {}, 404, 60),
        ("INSERT INTO xapi.statements (nothing) VALUES (1)", {}, 500, 16),
        ("INSERT INTO xapi.statements FORMAT Parquet\nno Parquet at all", {}, 400, 117),
        ("INSERT INTO xapi.statements SELECT * FROM input('a UInt8')", {}, 501, 48),
    ],
)
def test_error_has_status_code_and_reason(url: str, sql: str, settings: dict[str, str], status: int, code: int) -> None:
    answer = requests.post(url, params=settings, data=sql, timeout=10)
    assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert "spool" not in answer.text


def test_get_changes_nothing(url: str) -> None:
    for sql in ("CREATE TABLE t (a UInt8) ENGINE = Memory", "INSERT INTO xapi.statements (source_line) VALUES (1)"):
        answer = requests.get(url, params={"query": sql}, timeout=10)
        assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "164")
    assert query(url, COUNT) == "0"
    assert requests.get(url, params={"query": "SELECT 1", "max_threads": "1"}, timeout=10).text == "1\n"


@pytest.mark.parametrize("headers", [{"Origin": "http://page.example"}, {"Host": "rebound.example"}])
def test_web_pages_are_rejected(url: str, headers: dict[str, str]) -> None:
    assert requests.post(url, data="SELECT 1", headers=headers, timeout=10).status_code == 403


def test_only_the_expected_user_is_accepted() -> None:
    with run_clickhouse(user="etl", password="p:ss") as url:
        right: list[dict[str, Any]] = [
            {"auth": ("etl", "p:ss")},
            {"headers": {"X-ClickHouse-User": "etl", "X-ClickHouse-Key": "p:ss"}},
            {"params": {"user": "etl", "password": "p:ss"}},
        ]
        wrong: list[dict[str, Any]] = [
            {},
            {"auth": ("etl", "")},
            {"auth": ("default", "p:ss")},
            {"params": {"user": "etl"}},
            right[0] | right[1],
        ]
        for how in right:
            assert requests.post(url, data="SELECT 1", timeout=10, **how).text == "1\n"
        for how in wrong:
            answer = requests.post(url, data="SELECT 1", timeout=10, **how)
            assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
        assert requests.get(f"{url}/ping", timeout=10).ok


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("place", ["address", "body"])
def test_compressed_inserts(url: str, encoding: str, place: str) -> None:
    make_table(url)
    sql, rows = (
        b"INSERT INTO lines FORMAT JSONEachRow",
        b'{"number": 1, "text": null}\n{"number": 2, "text": "\xc3\xa9"}\n',
    )
    body = rows if place == "address" else sql + b"\n" + rows
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor().compress,
        "none": bytes,
    }
    headers = {} if encoding == "none" else {"Content-Encoding": encoding}
    params = {"query": sql.decode()} if place == "address" else {}
    answer = requests.post(url, params=params, data=packers[encoding](body), headers=headers, timeout=10)
    assert (answer.status_code, answer.text) == (200, "")
    assert query(url, "SELECT * FROM lines ORDER BY number") == "1\t\\N\n2\té"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO lines VALUES (1, 'a;b'), (2, NULL)",
        "INSERT INTO lines (number, text) FORMAT CSV\n1,a;b\n2,\\N\n",
        "INSERT INTO lines SETTINGS input_format_null_as_default = 1 FORMAT TSV\n1\ta;b\n2\t\\N\n",
        "INSERT INTO lines SELECT number + 1, if(number = 0, 'a;b', NULL) FROM numbers(2)",
    ],
)
def test_inserts_of_every_form(url: str, sql: str) -> None:
    make_table(url)
    query(url, sql)
    assert query(url, "SELECT * FROM lines ORDER BY number") == "1\ta;b\n2\t\\N"


@pytest.mark.parametrize("encoding", ["gzip", ""])
def test_insert_may_select_from_its_data(url: str, encoding: str) -> None:
    make_table(url)
    sql = "INSERT INTO lines SELECT number * 10, upper(text) FROM input('number UInt32, text String') FORMAT CSV"
    body, headers = b"1,a\n2,b\n", {"Content-Encoding": encoding} if encoding else {}
    packed = gzip.compress(body) if encoding else body
    assert requests.post(url, params={"query": sql}, data=packed, headers=headers, timeout=10).ok
    assert query(url, f"{sql}\n3,c\n") == ""
    assert query(url, "SELECT * FROM lines ORDER BY number") == "10\tA\n20\tB\n30\tC"


def test_insert_passes_through_a_materialized_view(url: str) -> None:
    make_table(url)
    query(url, "CREATE TABLE doubled (two UInt64) ENGINE = MergeTree ORDER BY two")
    query(url, "CREATE MATERIALIZED VIEW doubling TO doubled AS SELECT number * 2 AS two FROM lines")
    query(url, 'INSERT INTO lines FORMAT JSONEachRow\n{"number": 4}')
    assert query(url, "SELECT two FROM doubled") == "8"


def test_binary_rows_may_follow_the_statement_in_the_body(url: str) -> None:
    body = INSERT_STATEMENTS.encode() + b"\n" + make_parquet(1000)
    assert requests.post(url, data=body, timeout=10).ok
    assert query(url, COUNT) == "1000"


def test_written_rows_are_reported(url: str) -> None:
    answer = requests.post(url, params={"query": INSERT_STATEMENTS}, data=make_parquet(1000), timeout=10)
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "1000"


def test_response_is_compressed_on_request(url: str) -> None:
    asked = {"query": "SELECT number FROM numbers(10000)", "enable_http_compression": "1"}
    packed = requests.post(url, params=asked, headers={"Accept-Encoding": "gzip"}, timeout=10)
    plain = requests.post(url, params=asked | {"enable_http_compression": "0"}, timeout=10)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.text == plain.text
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])


def test_body_that_ends_early_inserts_nothing(url: str) -> None:
    body = make_parquet(1000)
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        target = f"/?query={INSERT_STATEMENTS.replace(' ', '+')}"
        head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body) + 1}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert query(url, COUNT) == "0"


def test_connection_is_kept_after_an_error(url: str) -> None:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    for sql, status in (("SELECT nothing", 404), ("SELECT 1", 200), ("x" * 300_000, 400), ("SELECT 1", 200)):
        connection.request("POST", "/", sql)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_queries_run_in_parallel(url: str) -> None:
    make_table(url)
    failed: list[str] = []

    def insert(first: int) -> None:
        for number in range(first, first + 10):
            answer = requests.post(url, data=f"INSERT INTO lines VALUES ({number}, 'x')", timeout=30)
            failed.extend([answer.text] if not answer.ok else [])
            failed.extend([] if query(url, f"SELECT count() FROM lines WHERE number = {number}") == "1" else ["unseen"])

    threads = [threading.Thread(target=insert, args=(first,)) for first in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert query(url, "SELECT count(), uniqExact(number) FROM lines") == "80\t80"


def test_chunked_body_is_inserted(url: str) -> None:
    body = make_parquet(5000)

    def give() -> Iterator[bytes]:
        yield from (body[start : start + 10_000] for start in range(0, len(body), 10_000))

    assert requests.post(url, params={"query": INSERT_STATEMENTS}, data=give(), timeout=10).ok
    assert query(url, COUNT) == "5000"
