"""Additional connections are a bonus: whatever a server does to them, the file that it serves arrives whole."""

import hashlib
import threading
from collections.abc import Iterator

import pytest

from csv_streamer.http import first_response as reserve
from tests.support.tiers import few_quick
from tests.unit.csv_streamer.conftest import PART, Streamer
from tests.unit.csv_streamer.ranged_server import RangedServer, ranged_server

SIZE = 20 * PART
STATUSES = few_quick(
    [403, 410, 416, 503, 400, 401, 404, 405, 407, 409, 412, 413, 418, 429, 451, 500, 501, 502, 505], quick=4
)


@pytest.fixture
def server() -> Iterator[RangedServer]:
    with ranged_server(SIZE) as server:
        yield server


def check_whole(streamer: Streamer, server: RangedServer, key: str = "a.csv") -> None:
    (result,) = streamer.run({"url": server.url, "name": key})
    assert result["status"] == "success", result
    assert streamer.sha256(result["s3_key"]) == hashlib.sha256(server.body).hexdigest() == result["sha256"]
    assert streamer.unfinished_uploads() == 0


@pytest.mark.parametrize("status", STATUSES)
def test_link_that_is_served_once_is_served_to_its_end(streamer: Streamer, server: RangedServer, status: int) -> None:
    server.refuse = lambda number, is_range, open_now: status if number > 1 else None
    check_whole(streamer, server)


@pytest.mark.parametrize("after", few_quick([2, 14, 5, 9], quick=2))
@pytest.mark.parametrize("status", [403, 410])
def test_link_that_ends_under_way_is_served_by_its_first_connection(
    streamer: Streamer, server: RangedServer, after: int, status: int
) -> None:
    server.refuse = lambda number, is_range, open_now: status if number > after else None
    check_whole(streamer, server)


@pytest.mark.parametrize("status", STATUSES)
def test_ranges_that_are_refused_by_any_status_cost_nothing(
    streamer: Streamer, server: RangedServer, status: int
) -> None:
    server.refuse = lambda number, is_range, open_now: status if is_range else None
    check_whole(streamer, server)
    assert sum("Range" not in request for request in server.requests) == 1


@pytest.mark.parametrize("most", few_quick([1, 2, 3]))
@pytest.mark.parametrize("status", [403, 429, 503])
def test_server_that_limits_connections_serves_over_what_it_allows(
    streamer: Streamer, server: RangedServer, most: int, status: int
) -> None:
    server.refuse = lambda number, is_range, open_now: status if open_now >= most else None
    check_whole(streamer, server)
    assert server.most <= most


def test_first_answer_that_is_kept_is_read_now_and_then(
    streamer: Streamer, server: RangedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "_KEEP_ALIVE_SECONDS", 0.01)
    server.pause = 0.005
    server.refuse = lambda number, is_range, open_now: 410 if number > 12 else None
    check_whole(streamer, server)


def test_range_that_is_refused_after_a_break_begins_anew(streamer: Streamer, server: RangedServer) -> None:
    """One connection, which breaks; what is left may not be asked for alone."""
    streamer.set("RANGE_CONNECTIONS", "1")
    streamer.set("STALL_SECONDS", "1")
    server.refuse = lambda number, is_range, open_now: 403 if is_range else None
    server.proceed.clear()
    (result,) = _run_and_proceed(streamer, server)
    assert result["status"] == "success", result
    assert result["sha256"] == hashlib.sha256(server.body).hexdigest()


def _run_and_proceed(streamer: Streamer, server: RangedServer) -> list[dict[str, object]]:
    threading.Timer(0.6, server.proceed.set).start()
    return streamer.run({"url": server.url, "name": "a.csv"})


def test_file_that_changes_under_way_is_not_mixed(streamer: Streamer, server: RangedServer) -> None:
    """The server tells of another version: the first connection's rest may be of either."""
    first = server.body

    def change(number: int, is_range: bool, open_now: int) -> None:
        if number == 4:
            server.body, server.etag = bytes(reversed(first)), '"two"'

    server.refuse = change
    (result,) = streamer.run({"url": server.url, "name": "a.csv"})
    if result["status"] == "success":
        assert result["sha256"] in {hashlib.sha256(first).hexdigest(), hashlib.sha256(server.body).hexdigest()}
        assert streamer.sha256(result["s3_key"]) == result["sha256"]


@pytest.mark.parametrize("status", [403, 429, 503])
def test_two_files_of_a_host_that_serves_one_connection(streamer: Streamer, server: RangedServer, status: int) -> None:
    server.pause = 0.002
    server.refuse = lambda number, is_range, open_now: status if open_now >= 1 else None
    streamer.put_parameters(*({"url": f"{server.url}?{name}", "name": f"{name}.csv"} for name in "abc"))
    _, body = streamer.invoke()
    assert [result["status"] for result in body["results"]] == ["success"] * 3, body["results"]
    assert server.most == 1


def test_file_that_is_missing_does_not_wait_for_others_of_its_host(streamer: Streamer, server: RangedServer) -> None:
    server.pause = 0.002
    server.refuse = lambda number, is_range, open_now: 404 if number == 2 else None
    streamer.put_parameters({"url": server.url, "name": "a.csv"}, {"url": server.url, "name": "b.csv"})
    _, body = streamer.invoke()
    assert sorted(result["status"] for result in body["results"]) in (["failed", "success"], ["success", "success"])


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_host_gets_no_more_connections_than_are_set(streamer: Streamer, server: RangedServer, limit: int) -> None:
    streamer.set("CONNECTIONS_PER_HOST", str(limit))
    server.pause = 0.001
    streamer.put_parameters(*({"url": f"{server.url}?{name}", "name": f"{name}.csv"} for name in "abc"))
    _, body = streamer.invoke()
    assert [result["status"] for result in body["results"]] == ["success"] * 3, body["results"]
    # A connection that was closed here may be open there for a moment.
    assert server.most <= limit + 2


def test_a_link_that_was_never_served_fails_at_once(streamer: Streamer, server: RangedServer) -> None:
    server.refuse = lambda number, is_range, open_now: 410
    (result,) = streamer.run({"url": server.url, "name": "a.csv"})
    assert (result["status"], result["error"], result["code"]) == ("failed", "HTTP 410 Gone", "http_status")
    assert len(server.requests) == 1
