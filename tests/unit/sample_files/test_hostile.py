"""The hostile mode does the harm that its table promises."""

import gzip
import http.client
import re
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from sample_files import expected_body
from sample_files.hostile import CASES
from sample_files.hostile_headers import DISPOSITIONS
from tests.unit.sample_files.fetching import Answer, fetch

README = Path(__file__).parents[3] / "scripts" / "sample_files" / "README.md"
SIZE = 250_000


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str:
    return re.sub(r"\W", "_", request.node.name)


def resume(url: str, first: Answer) -> Answer:
    return fetch(url, {"Range": f"bytes={len(first.body)}-", "If-Range": first.headers["ETag"]})


def test_readme_lists_all_cases_and_styles() -> None:
    names = set(re.findall(r"^\| (.*?) \|", README.read_text(), re.MULTILINE))
    listed = {name for cell in names for name in re.findall(r"`([\w-]+)`", cell)}
    assert CASES.keys() | DISPOSITIONS.keys() <= listed


def test_status_is_answered_so_many_times(server: str, token: str) -> None:
    path = f"/hostile/status/units.csv?code=429&times=2&retry_after=3&bytes={SIZE}&token={token}"
    answers = [fetch(server + path) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "3"
    assert answers[2].body == expected_body(path)


def test_status_without_times_stays(server: str) -> None:
    assert {fetch(server + "/hostile/status?code=500").status for _ in range(3)} == {500}
    date = fetch(server + "/hostile/status?retry_after=date").headers["Retry-After"]
    assert date.endswith("GMT")


def test_tokens_do_not_disturb_each_other(server: str, token: str) -> None:
    path = "/hostile/status?times=1&token="
    assert [fetch(f"{server}{path}{token}{each}").status for each in ("a", "b", "a")] == [503, 503, 200]


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_dropped_file_can_be_resumed_to_its_end(server: str, how: str) -> None:
    path = f"/hostile/drop/units.csv?bytes={SIZE}&every=100000&how={how}"
    got = fetch(server + path)
    assert not got.complete
    body = got.body
    for _ in range(20):
        rest = fetch(server + path, {"Range": f"bytes={len(body)}-", "If-Range": got.headers["ETag"]})
        assert rest.status == 206
        body += rest.body
        if rest.complete:
            break
    assert body == expected_body(path)


def test_dropped_file_without_ranges_comes_whole_in_the_end(server: str, token: str) -> None:
    path = f"/hostile/drop/units.csv?bytes={SIZE}&ranges=no&times=1&token={token}"
    first = fetch(server + path)
    second = resume(server + path, first)
    assert "Accept-Ranges" not in first.headers
    assert (first.complete, second.complete, second.status) == (False, True, 200)
    assert second.body == expected_body(path)


@pytest.mark.parametrize(("if_range", "status"), [("checked", 200), ("ignored", 206)])
def test_content_changes_under_way(server: str, token: str, if_range: str, status: int) -> None:
    path = f"/hostile/drop/units.csv?bytes={SIZE}&changes=1&if_range={if_range}&token={token}"
    first = fetch(server + path)
    second = resume(server + path, first)
    assert second.status == status
    assert second.headers["ETag"] != first.headers["ETag"]
    assert second.body == expected_body(path)[0 if status == 200 else len(first.body) :]
    assert first.body != expected_body(path)[: len(first.body)]


def test_range_is_ignored_though_advertised(server: str) -> None:
    answer = fetch(server + f"/hostile/ignore-range?bytes={SIZE}", {"Range": "bytes=5-"})
    assert (answer.status, answer.headers["Accept-Ranges"], len(answer.body)) == (200, "bytes", SIZE)


@pytest.mark.parametrize(
    ("wrong", "content_range"),
    [
        ("start", "bytes 99999-249999/250000"),
        ("size", "bytes 100000-249999/250001"),
        ("missing", None),
        ("unit", "lines 100000-249999/250000"),
        ("wider", "bytes 0-249999/250000"),
        ("garbled", "bytes some-of/it"),
        ("etag", "bytes 100000-249999/250000"),
    ],
)
def test_resume_is_answered_wrongly(server: str, token: str, wrong: str, content_range: str | None) -> None:
    path = f"/hostile/wrong-range/units.csv?bytes={SIZE}&wrong={wrong}&times=1&token={token}"
    first = fetch(server + path)
    assert (first.complete, len(first.body)) == (False, 100_000)
    second, third = resume(server + path, first), resume(server + path, first)
    assert (second.status, second.headers["Content-Range"], second.complete) == (206, content_range, True)
    assert (second.headers["ETag"] == first.headers["ETag"]) == (wrong != "etag")
    assert first.body + third.body == expected_body(path)


@pytest.mark.parametrize(("then", "complete"), [("continue", True), ("drop", False)])
def test_stall_ends_one_way_or_the_other(server: str, token: str, then: str, complete: bool) -> None:
    path = f"/hostile/stall/units.csv?bytes={SIZE}&seconds=0.1&times=1&then={then}&token={token}"
    first = fetch(server + path)
    assert first.complete is complete
    assert len(first.body) == (SIZE if complete else 100_000)
    assert fetch(server + path).body == expected_body(path)


@pytest.mark.parametrize(
    "query",
    ["trickle/units.csv?step=100000&pause=0.01", "validator/units.csv?kbps=9000", "slow-headers/units.csv?delay=0"],
)
def test_slow_answers_are_complete(server: str, query: str) -> None:
    path = f"/hostile/{query}&bytes={SIZE}"
    assert fetch(server + path).body == expected_body(path)


def test_more_connections_than_allowed_are_refused(server: str, token: str) -> None:
    path = f"/hostile/limited?bytes=1000000&kbps=200&token={token}"
    with requests.get(server + path, stream=True, timeout=10) as first:
        assert next(first.iter_content(1000))
        assert fetch(server + path).status == 429


def test_connection_ends_without_an_answer(server: str, token: str) -> None:
    for how in ("fin", "rst"):
        path = f"/hostile/hang-up?times=1&how={how}&token={token}{how}"
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            fetch(server + path)
        assert fetch(server + path).body == expected_body(path)


def test_answer_is_no_http(server: str, token: str) -> None:
    path = f"/hostile/garbage?times=1&token={token}"
    with pytest.raises(http.client.BadStatusLine):
        fetch(server + path)
    assert fetch(server + path).status == 200


def test_head_may_be_refused(server: str) -> None:
    assert fetch(server + "/hostile/no-head", method="HEAD").status == 405
    assert fetch(server + "/hostile/no-head?bytes=5").body == expected_body("/hostile/no-head?bytes=5")


def test_chunked_body_has_no_length(server: str) -> None:
    path = f"/hostile/chunked/units.csv?bytes={SIZE}&chunk=70000"
    answer = fetch(server + path, {"Range": "bytes=5-"})
    assert (answer.status, answer.body, answer.complete) == (200, expected_body(path), True)
    assert not {"Content-Length", "ETag", "Accept-Ranges"} & set(answer.headers)


def test_chunked_body_may_have_ranges(server: str) -> None:
    path = f"/hostile/chunked/units.csv?bytes={SIZE}&ranges=yes"
    first = fetch(server + path + "&cut=1000")
    assert (first.complete, len(first.body)) == (False, 1000)
    rest = resume(server + path, fetch(server + path, {"Range": "bytes=0-999"}))
    assert (rest.status, rest.headers["Content-Length"]) == (206, None)
    assert rest.body == expected_body(path)[1000:]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_body_ends_with_the_connection(server: str, version: str) -> None:
    path = f"/hostile/close/units.csv?bytes={SIZE}&http={version}"
    answer = fetch(server + path)
    assert (answer.body, answer.headers["Content-Length"]) == (expected_body(path), None)


def test_length_is_larger_than_what_comes(server: str, token: str) -> None:
    path = f"/hostile/long-length?bytes={SIZE}&extra=3&times=1&token={token}"
    answer = fetch(server + path)
    assert (len(answer.body), answer.headers["Content-Length"], answer.complete) == (SIZE, str(SIZE + 3), False)
    assert fetch(server + path).complete


@pytest.mark.parametrize("how", ["length", "chunked", "close"])
def test_empty_body_is_complete(server: str, how: str) -> None:
    answer = fetch(f"{server}/hostile/empty?how={how}")
    assert (answer.status, answer.body, answer.complete) == (200, b"", True)
    assert answer.headers["Content-Length"] == ("0" if how == "length" else None)


def test_endless_body_goes_on(server: str) -> None:
    with requests.get(f"{server}/hostile/endless", stream=True, timeout=10) as answer:
        blocks = answer.iter_content(65_536)
        assert len({next(blocks)[:32] for _ in range(5)}) == 5


def test_body_is_encoded_without_being_asked_for(server: str) -> None:
    path = f"/hostile/gzip/units.csv?bytes={SIZE}"
    answer = fetch(server + path, {"Accept-Encoding": "identity"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.body == expected_body(path)
    assert gzip.decompress(answer.body) == expected_body(f"/files/units.csv?bytes={SIZE}")


def test_not_modified_to_everybody(server: str) -> None:
    answer = fetch(f"{server}/hostile/not-modified")
    assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize(
    ("kind", "etag", "time"), [("strong", '"', True), ("weak", 'W/"', True), ("time", "", True), ("none", "", False)]
)
def test_validators_are_as_asked(server: str, kind: str, etag: str, time: bool) -> None:
    headers = fetch(f"{server}/hostile/validator?validator={kind}").headers
    assert headers.get("ETag", "").startswith(etag)
    assert ("ETag" in headers) == bool(etag)
    assert ("Last-Modified" in headers) is time


def test_redirect_goes_where_it_is_told_after_its_hops(server: str) -> None:
    target = f"/files/units.csv?bytes={SIZE}"
    path = "/hostile/redirect?hops=3&to=" + quote(target, safe="")
    answer = requests.get(server + path, timeout=10)
    assert len(answer.history) == 4
    assert answer.content == expected_body(path) == expected_body(target)


@pytest.mark.parametrize("target", ["ftp://example.com/a", "http://169.254.169.254/latest", "//other.test/b", "c.csv"])
def test_redirect_says_any_location(server: str, target: str) -> None:
    answer = fetch(f"{server}/hostile/redirect?status=307&to={target}")
    assert (answer.status, answer.headers["Location"]) == (307, target)


def test_redirect_loop_has_no_end(server: str) -> None:
    with pytest.raises(requests.TooManyRedirects):
        requests.get(f"{server}/hostile/redirect-loop", timeout=10)


@pytest.mark.parametrize("style", DISPOSITIONS)
def test_name_is_sent_as_it_is(server: str, style: str) -> None:
    answer = fetch(f"{server}/hostile/name?style={style}")
    assert answer.headers["Content-Disposition"] == DISPOSITIONS[style]
    assert fetch(f"{server}/hostile/name?value=a%3B%20b").headers["Content-Disposition"] == "a; b"


def test_request_headers_come_back(server: str) -> None:
    assert requests.get(f"{server}/hostile/echo", headers={"X-Key": "1"}, timeout=10).json()["x-key"] == "1"


def test_credentials_are_needed(server: str) -> None:
    path = f"{server}/hostile/protected"
    assert fetch(path).status == 401
    assert requests.get(path, auth=("user", "secret"), timeout=10).status_code == 200
    assert requests.get(path, auth=("user", "guess"), timeout=10).status_code == 401
    keyed = path + "?header=X-Key&value=Bearer%201"
    assert [fetch(keyed, {"X-Key": key}).status for key in ("Bearer 1", "Bearer 2")] == [200, 401]


def test_head_of_every_case_has_no_body(server: str) -> None:
    asked = {"redirect": "to=/&", "hang-up": "", "garbage": "", "endless": ""}
    for case in CASES.keys() - {"hang-up", "garbage", "slow-headers"}:
        answer = fetch(f"{server}/hostile/{case}?{asked.get(case, '')}bytes=1000", method="HEAD")
        assert answer.body == b""
