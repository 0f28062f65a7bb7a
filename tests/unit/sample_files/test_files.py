"""Ordinary files: validators, conditions, ranges."""

import http.client
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from sample_files import expected_body, expected_sha256
from tests.unit.sample_files.fetching import fetch

SCRIPTS = Path(__file__).parents[3] / "scripts"
PATH = "/files/units.csv?bytes=300000"
LAST_MODIFIED = "Sun, 01 Jun 2025 01:00:00 GMT"


def test_file_comes_whole_with_its_validators(server: str) -> None:
    answer = fetch(server + PATH)
    assert (answer.status, answer.body) == (200, expected_body(PATH))
    assert answer.headers["Content-Length"] == "300000"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Last-Modified"] == LAST_MODIFIED
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["ETag"] == fetch(server + PATH).headers["ETag"]


def test_head_is_get_without_the_body(server: str) -> None:
    head, get = fetch(server + PATH, method="HEAD"), fetch(server + PATH)
    assert head.body == b""
    assert {**dict(head.headers), "Date": ""} == {**dict(get.headers), "Date": ""}


def test_etags_differ_with_name_size_and_version(server: str) -> None:
    paths = [PATH, PATH + "1", PATH + "&version=2", PATH.replace("units", "projects"), "/random?bytes=300000"]
    assert len({fetch(server + path, method="HEAD").headers["ETag"] for path in paths}) == len(paths)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("0-0", 0, 1),
        ("100-299", 100, 300),
        ("299990-", 299_990, 300_000),
        ("-7", 299_993, 300_000),
        ("9-999999", 9, 300_000),
    ],
)
def test_one_range_is_answered(server: str, asked: str, start: int, stop: int) -> None:
    answer = fetch(server + PATH, {"Range": f"bytes={asked}"})
    assert (answer.status, answer.body) == (206, expected_body(PATH)[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/300000"
    assert answer.headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["300000-", "400000-400001", "-0"])
def test_range_beyond_the_end_is_refused(server: str, asked: str) -> None:
    answer = fetch(server + PATH, {"Range": f"bytes={asked}"})
    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["Content-Range"] == "bytes */300000"


@pytest.mark.parametrize("asked", ["bytes=5-4", "bytes=-", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "nonsense"])
def test_range_that_is_none_is_passed_over(server: str, asked: str) -> None:
    assert fetch(server + PATH, {"Range": asked}).status == 200


def test_if_range_compares_strongly(server: str) -> None:
    tag = fetch(server + PATH).headers["ETag"]
    weak = PATH + "&validator=weak"
    weak_tag = fetch(server + weak).headers["ETag"]
    cases = [(PATH, tag, 206), (PATH, LAST_MODIFIED, 206), (PATH, '"other"', 200), (PATH, "W/" + tag, 200)]
    for path, condition, status in [*cases, (weak, weak_tag, 200)]:
        answer = fetch(server + path, {"Range": "bytes=5-", "If-Range": condition})
        assert (answer.status, condition) == (status, condition)


def test_known_content_is_not_sent_again(server: str) -> None:
    tag = fetch(server + PATH).headers["ETag"]
    known = [
        {"If-None-Match": tag},
        {"If-None-Match": f'"a", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": LAST_MODIFIED},
        {"If-None-Match": tag, "If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
    ]
    for headers in known:
        answer = fetch(server + PATH, headers)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    for headers in [{"If-None-Match": '"a"'}, {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}]:
        assert fetch(server + PATH, headers).status == 200


def test_condition_that_fails_is_412(server: str) -> None:
    tag = fetch(server + PATH).headers["ETag"]
    assert fetch(server + PATH, {"If-Match": tag}).status == 200
    assert fetch(server + PATH, {"If-Match": '"other"'}).status == 412
    assert fetch(server + PATH, {"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}).status == 412


@pytest.mark.parametrize(
    "path",
    [
        "/files/units.csv?mb=-1",
        "/files/units.csv?mb=1&bytes=1",
        "/files/units.csv?bytes=1e3",
        "/files/units.csv?mb=999999999",
        "/random?delay=nan",
        "/hostile/status?code=200",
        "/hostile/drop?how=softly",
        "/hostile/chunked?cut=5&how=softly",
        "/hostile/redirect",
    ],
)
def test_bad_query_is_400_and_says_why(server: str, path: str) -> None:
    answer = fetch(server + path)
    assert answer.status == 400
    assert answer.body.endswith(b"\n")


@pytest.mark.parametrize("path", ["/files/units.txt", "/nowhere", "/hostile", "/hostile/unknown", "/files"])
def test_unknown_paths_are_404(server: str, path: str) -> None:
    assert fetch(server + path).status == 404


def test_page_links_to_files_that_are_there(server: str) -> None:
    page = fetch(server + "/?").body.decode()
    links = [part.partition('"')[0] for part in page.split('href="')[1:]]
    assert len(links) == 6
    assert all(fetch(server + link, method="HEAD").status == 200 for link in links)
    assert fetch(server + "/health").body == b"ok\n"


def test_hash_is_told_by_http_too(server: str) -> None:
    assert fetch(f"{server}/sha256{PATH}").body.decode().strip() == expected_sha256(PATH)


def test_connection_is_kept(server: str) -> None:
    connection = http.client.HTTPConnection(server.removeprefix("http://"), timeout=10)
    for _ in range(2):
        connection.request("GET", PATH)
        assert connection.getresponse().read() == expected_body(PATH)
        if connection.sock is None:
            pytest.fail("the server closed the connection")
    connection.close()


def test_requests_of_a_token_are_remembered(server: str) -> None:
    fetch(server + PATH + "&token=mine", {"Range": "bytes=5-"})
    entries = requests.get(server + "/requests/mine", timeout=10).json()
    assert [(entry["method"], entry["headers"]["Range"]) for entry in entries] == [("GET", "bytes=5-")]
    assert requests.get(server + "/requests/nobody", timeout=10).json() == []


def test_server_needs_nothing_but_the_standard_library() -> None:
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import sample_files.server; print('served')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "served\n"
