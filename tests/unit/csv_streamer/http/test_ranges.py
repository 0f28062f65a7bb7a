"""A server's headers say what a file is; a range continues it only if all of them agree."""

from dataclasses import replace
from typing import Any

import pytest

from csv_streamer.exceptions import RangeRefusedError, SourceChangedError
from csv_streamer.http.source import check_range
from csv_streamer.schemas import Head, Validators
from tests.unit.csv_streamer.http.raw_requests import get_answer, head_of

HEAD = Head("http://h/a", 1000, Validators('"e"'), accepts_ranges=True)


def test_head_tells_what_the_server_says() -> None:
    head = head_of(
        b'ETag: "e"',
        b"Last-Modified: Sat, 07 Mar 2026 01:02:03 GMT",
        b"Date: Sat, 07 Mar 2026 01:03:03 GMT",
        b"Accept-Ranges: Bytes",
        b"Content-Type: text/csv",
        b"Content-Disposition: attachment; filename=\xc3\xa9.csv",
    )
    assert (head.length, head.accepts_ranges, head.resumable) == (2, True, True)
    assert head.validators == Validators('"e"', "Sat, 07 Mar 2026 01:02:03 GMT", last_modified_is_strong=True)
    assert (head.content_type, head.content_encoding) == ("text/csv", None)
    assert head.disposition == "attachment; filename=é.csv"


@pytest.mark.parametrize(
    ("lines", "strong"),
    [
        ([b'ETag: "e"'], '"e"'),
        ([b'ETag: W/"e"'], None),
        ([b'ETag: W/"e"', b"Last-Modified: Sat, 07 Mar 2026 01:00:00 GMT", b"Date: Sat, 07 Mar 2026 01:02:00 GMT"],
         "Sat, 07 Mar 2026 01:00:00 GMT"),
        ([b"Last-Modified: Sat, 07 Mar 2026 01:01:30 GMT", b"Date: Sat, 07 Mar 2026 01:02:00 GMT"], None),
        ([b"Last-Modified: Sat, 07 Mar 2026 01:02:30 GMT", b"Date: Sat, 07 Mar 2026 01:02:00 GMT"], None),
        ([b"Last-Modified: Sat, 07 Mar 2026 01:00:00 GMT"], None),
        ([b"Last-Modified: yesterday", b"Date: Sat, 07 Mar 2026 01:02:00 GMT"], None),
        ([b"Last-Modified: Mon, 01 Jan 2024 00:00:00 +99999999999999999", b"Date: x"], None),
        ([b'ETag: "\xff"'], None),
        ([b'ETag: "\x01"'], None),
        ([b"ETag:"], None),
        ([], None),
    ],
)  # fmt: skip
def test_only_a_validator_that_can_be_relied_on_and_sent_is_strong(lines: list[bytes], strong: str | None) -> None:
    head = head_of(b"Accept-Ranges: bytes", *lines)
    assert head.validators.strong == strong
    assert head.resumable is (strong is not None)


def test_no_ranges_are_asked_of_a_server_that_does_not_offer_them() -> None:
    assert not head_of(b'ETag: "e"', b"Accept-Ranges: none").resumable
    assert not head_of(b'ETag: "e"').resumable


@pytest.mark.parametrize("value", [b"g\xffzip", b"gzip\x01"])
def test_encoding_that_cannot_be_stored_is_left_out(value: bytes) -> None:
    assert head_of(b"Content-Encoding: " + value).content_encoding is None


def test_chunked_body_has_no_length() -> None:
    head = get_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")[2]
    assert head.length is None
    assert get_answer(b"HTTP/1.1 200 OK\r\n\r\nok")[2].length is None


class Answer:
    """As much of a response as the check of a range looks at."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.url = HEAD.url
        self.headers = headers


def check(content_range: str | None, head: Head = HEAD, start: int = 100, status: int = 206, **headers: str) -> int:
    given_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_range is not None:
        given_headers["Content-Range"] = content_range
    answer: Any = Answer(status, given_headers)
    return check_range(answer, head, start)


@pytest.mark.parametrize("content_range", ["bytes 100-999/1000", "bytes 100-199/1000", "bytes 100-999/*"])
def test_range_that_was_asked_for_is_accepted(content_range: str) -> None:
    assert check(content_range) == 1000
    assert check(content_range, ETag='"e"') == 1000


def test_range_tells_the_length_that_was_not_known() -> None:
    assert check("bytes 100-199/500", replace(HEAD, length=None)) == 500


@pytest.mark.parametrize(
    "content_range",
    [
        None,
        "",
        "bytes 99-999/1000",
        "bytes 101-999/1000",
        "bytes 0-999/1000",
        "bytes */1000",
        "bytes 100-/1000",
        "bytes=100-999/1000",
        "lines 100-999/1000",
        "bytes 100-999/1000 ",
        "bytes 100-999",
        "bytes -100-999/1000",
        "bytes 1\N{ARABIC-INDIC DIGIT ZERO}0-999/1000",
        "bytes some-of/it",
        f"bytes {'9' * 5000}-{'9' * 5000}/{'9' * 5000}",
    ],
)
def test_range_that_was_not_asked_for_is_refused(content_range: str | None) -> None:
    with pytest.raises(SourceChangedError):
        check(content_range)


def test_whole_file_in_place_of_a_range_is_refused() -> None:
    with pytest.raises(SourceChangedError, match="changed, or the server does not send ranges of it") as refusal:
        check("bytes 100-999/1000", status=200, ETag='"f"')
    assert not isinstance(refusal.value, RangeRefusedError)


def test_whole_file_of_the_same_version_only_refuses_the_range() -> None:
    with pytest.raises(RangeRefusedError):
        check("", status=200, ETag='"e"', Content_Length="1000")


def test_other_length_or_other_etag_is_another_version() -> None:
    with pytest.raises(SourceChangedError, match="changed"):
        check("bytes 100-999/1001")
    with pytest.raises(SourceChangedError, match="changed"):
        check("bytes 100-999/1000", ETag='"f"')
    with pytest.raises(SourceChangedError, match="changed"):
        check("bytes 100-999/1000", ETag='W/"e"')


def test_other_date_is_another_version_where_the_date_is_all_there_is() -> None:
    dated = replace(HEAD, validators=Validators(None, "then", last_modified_is_strong=True))
    assert check("bytes 100-999/1000", dated) == 1000
    assert check("bytes 100-999/1000", dated, Last_Modified="then") == 1000
    with pytest.raises(SourceChangedError, match="changed"):
        check("bytes 100-999/1000", dated, Last_Modified="now")


def test_etag_outweighs_the_date() -> None:
    both = replace(HEAD, validators=Validators('"e"', "then", last_modified_is_strong=True))
    assert check("bytes 100-999/1000", both, ETag='"e"', Last_Modified="now") == 1000


def test_range_of_a_file_that_nobody_knows_the_end_of_is_refused() -> None:
    with pytest.raises(SourceChangedError, match="where the file ends"):
        check("bytes 100-199/*", replace(HEAD, length=None))
