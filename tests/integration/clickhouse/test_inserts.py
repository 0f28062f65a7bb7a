"""Guarantees that the xAPI ETL relies on: remembered blocks, whole INSERTs, the schema, injected faults."""

import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from clickhouse import apply
from tests.support.clickhouse_server import (
    PYTHON,
    SCRIPTS,
    ClickHouse,
    count_faults,
    order_fault,
    query,
    start_clickhouse,
)
from tests.support.tiers import scale

from .rows import EXACTLY_ONCE, INSERT_STATEMENTS, make_parquet

COUNT = "SELECT count() FROM xapi.statements"
MB = 1_000_000


def insert(url: str, body: bytes | Iterator[bytes], token: str = "", **settings: str) -> requests.Response:
    chosen = EXACTLY_ONCE | {"query": INSERT_STATEMENTS} | ({"insert_deduplication_token": token} if token else {})
    return requests.post(url, params=chosen | settings, data=body, timeout=60)


@pytest.mark.parametrize("months", [1, 12])
@pytest.mark.parametrize("row_group", [0, 1000])
def test_same_token_lands_once(url: str, months: int, row_group: int) -> None:
    body = make_parquet(20_000, months=months, row_group=row_group)
    for _ in range(2):
        assert insert(url, body, "token").ok
    assert query(url, COUNT) == "20000"
    assert insert(url, body, "other token").ok
    assert query(url, COUNT) == "40000"


def test_same_token_lands_twice_in_a_table_without_a_window(url: str) -> None:
    query(url, "CREATE TABLE plain AS xapi.statements ENGINE = MergeTree ORDER BY statement_id")
    chosen = EXACTLY_ONCE | {"query": INSERT_STATEMENTS.replace("xapi.statements", "plain")}
    for _ in range(2):
        answer = requests.post(
            url, params=chosen | {"insert_deduplication_token": "token"}, data=make_parquet(1000), timeout=60
        )
        assert answer.ok
    assert query(url, "SELECT count() FROM plain") == "2000"


def test_token_is_remembered_by_the_next_server_too(tmp_path: Path) -> None:
    body = make_parquet(1000)
    for _ in range(2):
        server = start_with_schema(tmp_path)
        assert insert(server.url, body, "token").ok
        server.process.terminate()
        assert server.process.wait(timeout=30) == 0
    server = start_with_schema(tmp_path)
    assert query(server.url, COUNT) == "1000"
    server.kill()


def test_statement_that_comes_again_replaces_the_first_and_others_stay(url: str) -> None:
    columns = "statement_id, timestamp, statement, event_hash, source_file, source_etag, source_line"
    rows = ["'a', 0, 'old', 'h1'", "'a', 0, 'new', 'h2'", "'', 0, 'x', 'h3'", "'', 0, 'y', 'h4'", "'', 0, 'y', 'h4'"]
    for number, row in enumerate(rows):
        query(url, f"INSERT INTO xapi.statements ({columns}) VALUES ({row}, 's3://b/k', 'etag', {number})")
    found = query(url, "SELECT statement_id, statement FROM xapi.statements FINAL ORDER BY ALL")
    assert found.splitlines() == ["\tx", "\ty", "a\tnew"]


def test_schema_can_be_applied_again_and_reports_rejections(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    insert(url, make_parquet(10))
    assert apply.main({"CLICKHOUSE_URL": url}) == 0
    assert query(url, COUNT) == "10"
    assert apply.main({"CLICKHOUSE_URL": url, "CLICKHOUSE_PASSWORD": "wrong"}) == 1
    assert "returned HTTP 403: Code: 516." in capsys.readouterr().err
    uncommented = "SELECT name FROM system.columns WHERE database = 'xapi' AND table = 'statements' AND comment = ''"
    assert query(url, uncommented) == ""


def test_long_body_goes_through_bounded_memory(tmp_path: Path) -> None:
    body = make_parquet(120, text="0123456789" * 100_000)
    assert len(body) > 100 * MB
    server = start_with_schema(tmp_path)
    assert insert(server.url, make_parquet(1, first=1000)).ok
    process = psutil.Process(server.process.pid)
    before, seen = process.memory_info().rss, []

    def give() -> Iterator[bytes]:
        for start in range(0, len(body), MB):
            yield body[start : start + MB]
            seen.append(process.memory_info().rss - before)

    assert insert(server.url, give()).ok
    assert query(server.url, COUNT) == "121"
    server.kill()
    # Apart from socket buffers, the server had received everything but the last chunk.
    assert max(seen) < 10 * MB


@pytest.mark.scaled
def test_killed_server_has_whole_inserts_only_and_a_retry_completes_them(tmp_path: Path) -> None:
    """Each insert is one block of one partition; CLICKHOUSE_KILLS and CLICKHOUSE_SEED vary the run."""
    seed = int(os.environ.get("CLICKHOUSE_SEED", time.time_ns() % 100_000))
    print(f"CLICKHOUSE_SEED={seed}")
    dice, rows, sent = random.Random(seed), 20_000, 0
    for _ in range(int(os.environ.get("CLICKHOUSE_KILLS", str(scale(5))))):
        server = start_with_schema(tmp_path)
        killer = threading.Timer(dice.uniform(0.02, 0.6), server.kill)
        killer.start()
        is_up = True
        while is_up:
            body = make_parquet(rows, first=sent * rows)
            sent += 1
            try:
                assert insert(server.url, body, f"token {sent}").ok
            except requests.ConnectionError:
                is_up = False
        killer.join()
        server = start_with_schema(tmp_path)
        assert int(query(server.url, COUNT)) in {(sent - 1) * rows, sent * rows}
        assert insert(server.url, body, f"token {sent}").ok
        assert int(query(server.url, COUNT)) == sent * rows
        server.kill()


def test_partial_insert_of_several_months_is_completed_by_a_retry(url: str) -> None:
    # A server killed between two partitions leaves the blocks of some, remembered by the token.
    body = make_parquet(1200, months=12)
    assert insert(url, body, "token").ok
    query(url, "ALTER TABLE xapi.statements DROP PARTITION 202507")
    assert query(url, COUNT) == "1100"
    assert insert(url, body, "token").ok
    assert query(url, COUNT) == "1200"


def test_second_server_on_the_same_folder_is_rejected(tmp_path: Path) -> None:
    first = start_with_schema(tmp_path)
    with pytest.raises(RuntimeError, match="did not start"):
        start_clickhouse(tmp_path)
    assert query(first.url, COUNT) == "0"
    first.kill()


@pytest.mark.parametrize(
    ("kind", "landed"), [("drop", "0"), ("drop_after", "10"), ("answer", "0"), ("answer_after", "10"), ("delay", "10")]
)
def test_injected_fault_happens_once_and_a_retry_lands_once(url: str, kind: str, landed: str) -> None:
    order_fault(url, kind, status=500, code=252)
    try:
        answer = insert(url, make_parquet(10), "token")
    except requests.ConnectionError:
        assert kind.startswith("drop")
    else:
        told = (answer.status_code, answer.headers.get("X-ClickHouse-Exception-Code"))
        assert told == ((500, "252") if kind.startswith("answer") else (200, None))
    assert query(url, COUNT) == landed
    assert count_faults(url) == {kind: 1}
    assert insert(url, make_parquet(10), "token").ok
    assert query(url, COUNT) == "10"


def test_query_of_a_disconnected_client_still_lands(url: str) -> None:
    order_fault(url, "delay", seconds=0.5)
    with pytest.raises(requests.ReadTimeout):
        requests.post(url, params={"query": INSERT_STATEMENTS}, data=make_parquet(10), timeout=0.2)
    wait_for(lambda: query(url, COUNT) == "10")


def test_busy_response_has_no_clickhouse_code(url: str) -> None:
    order_fault(url, "answer", status=429, times=2)
    answers = [insert(url, make_parquet(10)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert "X-ClickHouse-Exception-Code" not in answers[0].headers


def test_response_can_be_truncated(url: str) -> None:
    order_fault(url, "cut", match="^SELECT")
    with pytest.raises(requests.RequestException):
        requests.post(url, data="SELECT number FROM numbers(100000)", timeout=10)
    assert len(query(url, "SELECT number FROM numbers(100000)").splitlines()) == 100_000


def test_faults_need_the_option(tmp_path: Path) -> None:
    command = [str(PYTHON), "-m", "clickhouse", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, cwd=SCRIPTS, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().split()[1].rstrip(",")
        assert requests.put(f"{url}/faults", json={"kind": "drop"}, timeout=10).status_code == 404
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_shutdown_waits_for_running_queries(tmp_path: Path) -> None:
    server = start_with_schema(tmp_path)
    order_fault(server.url, "delay", seconds=1)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(insert(server.url, make_parquet(10)).status_code))
    thread.start()
    wait_for(lambda: count_faults(server.url) == {"delay": 1})
    server.process.terminate()
    thread.join()
    assert (answers, server.process.wait(timeout=30)) == ([200], 0)
    server = start_with_schema(tmp_path)
    assert query(server.url, COUNT) == "10"
    server.kill()


def start_with_schema(folder: Path) -> ClickHouse:
    server = start_clickhouse(folder)
    apply.apply_schema(server.url, {}, apply.DEFAULT_DATABASE, apply.DEFAULT_TABLE)
    return server


def wait_for(is_so: Callable[[], bool]) -> None:
    for _ in range(200):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to pass")
