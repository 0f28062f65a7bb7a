"""The ClickHouse client: statements, settings, credentials, other tables, deadlines."""

import json
from collections.abc import Iterator

import pytest
import requests

from tests.support.clickhouse_server import count_faults, order_fault, run_clickhouse
from tests.unit.xapi_etl.conftest import SESSION, Context, Environ, Etl, events, find_event, find_events, logged
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl import app, clients
from xapi_etl.clickhouse.http_client import ClickHouse, Deadline, quote_text
from xapi_etl.exceptions import OutOfTimeError
from xapi_etl.settings import quote_name


class Calls(list[tuple[str, dict[str, str], tuple[float, float]]]):
    """Requests to ClickHouse: the query, the other parameters, the timeouts."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    seen = Calls()
    post = requests.Session.post

    def note(self: requests.Session, url: str, **options: object) -> requests.Response:
        parameters = dict(options["params"])  # type: ignore[call-overload]
        body = options["data"]
        assert isinstance(body, bytes)
        query = parameters.pop("query", None) or body.decode()
        seen.append((query, parameters, options["timeout"]))  # type: ignore[arg-type]
        return post(self, url, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(requests.Session, "post", note)
    return seen


def put(etl: Etl, rows: int = 3) -> str:
    return etl.put("statements/a.jsonl", write_lines(make_statements(rows)))


def test_own_settings_override_the_users(
    etl: Etl, environ: Environ, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    app._log_overridden_settings.cache_clear()
    environ(CLICKHOUSE_SETTINGS="async_insert=1,max_insert_block_size=100000,wait_end_of_query=0")
    assert etl.deliver(put(etl)) == []
    assert etl.deliver(put(etl)) == []
    (insert,) = [parameters for query, parameters, _ in calls if query.startswith("INSERT")]
    assert len(insert.pop("insert_deduplication_token")) == 64
    assert insert == {
        "async_insert": "0",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
        "insert_deduplicate": "1",
        "materialized_views_ignore_errors": "0",
        "max_insert_block_size": "100000",
        "max_insert_threads": "1",
        "wait_end_of_query": "1",
    }
    assert [record.settings for record in find_events(caplog, "settings_overridden")] == [
        ["async_insert", "wait_end_of_query"]
    ]
    looks = [parameters for query, parameters, _ in calls if query.startswith("SELECT")]
    assert {parameters["select_sequential_consistency"] for parameters in looks} == {"1"}


def test_timeout_is_the_minimum_of_setting_and_remaining_time(etl: Etl, environ: Environ, calls: Calls) -> None:
    assert etl.deliver(put(etl), context=Context(20_000)) == []
    assert etl.deliver(etl.put("statements/b.jsonl", b"{}"), context=Context(120_000)) == []
    environ(LAMBDA_TIMEOUT_SAFETY_MARGIN_MS="17500")
    assert etl.deliver(etl.put("statements/c.jsonl", b"{}"), context=Context(20_000)) == []
    timeouts = [timeout for query, _, timeout in calls if query.startswith("INSERT")]
    assert timeouts == [(5.0, 15.0), (5.0, 30), (2.5, 2.5)]


def test_insert_is_not_started_near_the_deadline() -> None:
    deadline = Deadline(lambda: 9_999, 10_000, 5_000, 30)
    with pytest.raises(OutOfTimeError):
        deadline.check()
    Deadline(lambda: 10_000, 10_000, 5_000, 30).check()
    with pytest.raises(OutOfTimeError):
        Deadline(lambda: 5_000, 0, 5_000, 30).check()


def test_no_retry_beyond_the_deadline(
    etl: Etl, environ: Environ, no_pause: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    environ(CLICKHOUSE_MAX_ATTEMPTS="9")
    order_fault(etl.url, "answer", times=9, status=503)
    context = Context(60_000)
    insert = ClickHouse.insert

    def insert_late(self: ClickHouse, statement: str, data: bytes, settings: dict[str, str]) -> None:
        context.remaining_ms = 10_050
        insert(self, statement, data, settings)

    monkeypatch.setattr(ClickHouse, "insert", insert_late)
    body = put(etl)
    assert etl.deliver(body, context=context) == [body]
    assert count_faults(etl.url)["answer"] == 1
    assert no_pause == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DROP COLUMN response, ADD COLUMN response UInt8", "not exactly a UInt8"),
        ("ADD CONSTRAINT short CHECK length(response) < 100", "INSERT failed"),
    ],
)
def test_value_rejected_by_the_table_fails_only_its_object(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture, change: str, reason: str
) -> None:
    etl.query("CREATE OR REPLACE TABLE xapi.strict AS xapi.statements")
    etl.query(f"ALTER TABLE xapi.strict {change}")
    environ(CLICKHOUSE_TABLE="strict")
    bodies = [etl.put(f"statements/{n}.jsonl", b'{"id":"%d","result":{"response":"%d"}}' % (n, n)) for n in range(7)]
    poison = etl.put("statements/poison.jsonl", b'{"id":"p","result":{"response":"' + b"x" * 1000 + b'"}}')
    assert etl.deliver(*bodies[:3], poison, *bodies[3:]) == [poison]
    assert etl.query("SELECT count(), sum(toInt64(assumeNotNull(response))) FROM xapi.strict") == "7\t21"
    assert etl.deliver(*bodies, poison, receives=2) == [poison]
    assert etl.query("SELECT count() FROM xapi.strict") == "7"
    assert reason in find_events(caplog, "object_failed")[0].reason
    assert "x" * 201 not in logged(caplog)


def test_backoff_grows(etl: Etl, environ: Environ, no_pause: list[float]) -> None:
    environ(CLICKHOUSE_MAX_ATTEMPTS="7")
    order_fault(etl.url, "answer", times=6, status=503)
    assert etl.deliver(put(etl)) == []
    longest = [0.5, 1, 2, 4, 8, 8]
    assert all(top / 2 <= pause <= top for pause, top in zip(no_pause, longest, strict=True))


def test_custom_insert_statement(etl: Etl, environ: Environ, calls: Calls) -> None:
    environ(CLICKHOUSE_INSERT_SQL="INSERT INTO xapi.statements (statement_id, timestamp) FORMAT Parquet;")
    assert etl.deliver(put(etl)) == []
    environ(CLICKHOUSE_INSERT_SQL="INSERT INTO xapi.statements (verb_id)\n")
    assert etl.deliver(etl.put("statements/b.jsonl", write_lines(make_statements(2, seed=5)))) == []
    assert [query for query, _, _ in calls if query.startswith("INSERT")] == [
        "INSERT INTO xapi.statements (statement_id, timestamp) FORMAT Parquet",
        "INSERT INTO xapi.statements (verb_id) FORMAT Parquet",
    ]


def test_no_ledger_lookup_without_a_table(
    etl: Etl, environ: Environ, calls: Calls, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("CLICKHOUSE_TABLE")
    environ(CLICKHOUSE_INSERT_SQL="INSERT INTO xapi.statements FORMAT Parquet")
    body = put(etl)
    assert etl.deliver(body) == []
    assert etl.deliver(body) == []
    assert etl.count() == 3, "the token is enough here"
    assert [query.split()[0] for query, _, _ in calls] == ["INSERT", "INSERT"]
    assert events(caplog).count("dedup_lookup_disabled") == 2


def test_table_without_lineage_columns_is_not_queried(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    etl.query("CREATE OR REPLACE TABLE xapi.narrow (id String, n Int64) ENGINE = MergeTree ORDER BY id")
    environ(COLUMN_MAP="auto", CLICKHOUSE_TABLE="narrow")
    assert etl.deliver(etl.put("statements/a.jsonl", b'{"id":"a","n":1,"more":[1]}\n{"id":"b"}')) == []
    assert etl.query("SELECT groupArray((id, n)) FROM xapi.narrow") == "[('a',1),('b',0)]"
    assert find_event(caplog, "dedup_lookup_disabled").reason


def test_every_key_becomes_a_column(etl: Etl, environ: Environ) -> None:
    etl.query(
        "CREATE OR REPLACE TABLE xapi.keys (s String, i Int64, f Float64, b Bool, o String, m String, "
        "event_hash String, source_file String, source_etag String, source_line UInt64) "
        "ENGINE = MergeTree ORDER BY source_line SETTINGS non_replicated_deduplication_window = 100"
    )
    environ(COLUMN_MAP="auto", CLICKHOUSE_TABLE="keys")
    lines = [
        {"s": "ü", "i": -5, "f": 1, "b": True, "o": {"a": [1, None]}, "m": "x", "source_line": 99},
        {"s": None, "f": 1.5, "m": 7},
    ]
    body = etl.put("statements/a.jsonl", "\n".join(map(json.dumps, lines)).encode())
    other = etl.put("statements/b.jsonl", b'{"i": "12", "f": 2}')
    assert etl.deliver(body) == []
    assert etl.deliver(body, other) == []
    columns = "s, i, f, b, o, m, source_line"
    order = "ORDER BY source_file, source_line FORMAT JSONCompactEachRow"
    rows = etl.query(f"SELECT {columns} FROM xapi.keys {order}")
    assert [json.loads(row) for row in rows.splitlines()] == [
        ["ü", -5, 1, True, '{"a":[1,null]}', "x", 1],
        ["", 0, 1.5, False, "", "7", 2],
        ["", 12, 2, False, "", "", 1],
    ]
    environ(CLICKHOUSE_INSERT_COLUMNS="i,source_file,source_etag,source_line")
    assert etl.deliver(etl.put("statements/c.jsonl", b'{"i": 3, "s": "left out"}')) == []
    assert etl.query("SELECT i, s FROM xapi.keys WHERE source_file LIKE '%c.jsonl'") == "3\t"


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    with run_clickhouse(user="writer", password="s3cret", schema=True) as url:
        yield url


@pytest.mark.parametrize("way", ["variables", "secret", "url"])
def test_credentials_from_variables_a_secret_or_the_url(
    etl: Etl, environ: Environ, guarded: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    environ(CLICKHOUSE_URL=guarded)
    if way == "variables":
        environ(CLICKHOUSE_USER="writer", CLICKHOUSE_PASSWORD="s3cret")
    elif way == "url":
        environ(CLICKHOUSE_URL=guarded.replace("http://", "http://writer:s3cret@"))
    else:
        secret = json.dumps({"username": "writer", "password": "s3cret"})
        SESSION.client("secretsmanager").create_secret(Name="clickhouse", SecretString=secret)
        environ(CLICKHOUSE_SECRET="clickhouse", CLICKHOUSE_USER="old", CLICKHOUSE_PASSWORD="wrong")
    assert etl.deliver(etl.put(f"statements/{way}.jsonl", b"{}")) == []
    assert "s3cret" not in logged(caplog)


@pytest.mark.parametrize("value", [None, "no JSON", '{"username": "u"}', "[]"])
def test_secret_that_cannot_be_used_fails_every_message(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture, value: str | None
) -> None:
    if value is not None:
        SESSION.client("secretsmanager").create_secret(Name="clickhouse", SecretString=value)
    environ(CLICKHOUSE_SECRET="clickhouse")
    body = etl.put("statements/a.jsonl", b"{}")
    assert etl.deliver(body) == [body]
    error = find_event(caplog, "batch_failed").error
    assert error.startswith("the secret clickhouse ")
    assert value is None or value not in error


def test_wrong_password_fails_at_once_without_showing_it(
    etl: Etl, environ: Environ, guarded: str, no_pause: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    environ(CLICKHOUSE_URL=guarded, CLICKHOUSE_USER="writer", CLICKHOUSE_PASSWORD="wr0ng")
    body = etl.put("statements/a.jsonl", b"{}")
    assert etl.deliver(body) == [body]
    assert no_pause == []
    assert "wr0ng" not in logged(caplog)


def test_exception_after_status_200_is_an_error(
    etl: Etl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    post = requests.Session.post

    def spoil(self: requests.Session, url: str, **options: object) -> requests.Response:
        answer = post(self, url, **options)  # type: ignore[arg-type]
        if "query" in dict(options["params"]):  # type: ignore[call-overload]
            answer._content = b"Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)\nstack"
        return answer

    monkeypatch.setattr(requests.Session, "post", spoil)
    body = put(etl)
    assert etl.deliver(body) == [body]
    failed = find_event(caplog, "insert_failed")
    assert (failed.code, failed.error) == (60, "HTTP 200, Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)")


@pytest.mark.parametrize("codec", ["snappy", "gzip", "brotli", "zstd", "lz4", "none"])
def test_parquet_in_every_compression(etl: Etl, environ: Environ, codec: str) -> None:
    environ(PARQUET_COMPRESSION=codec)
    assert etl.deliver(put(etl, 20)) == []
    assert etl.count() == 20


def test_names_and_texts_are_quoted(etl: Etl) -> None:
    text = "it's a \\ back`slash\n\t\0 ü"
    assert json.loads(etl.query(f"SELECT {quote_text(text)} FORMAT JSONCompactEachRow")) == [text]
    assert quote_name("a`b\\c") == "`a\\`b\\\\c`"


def test_clients_are_cached() -> None:
    assert clients.http_session() is clients.http_session()
