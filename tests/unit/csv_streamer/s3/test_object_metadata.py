"""What is kept beside an object fits S3, survives the way there and back, and gives nothing away."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_streamer.s3.object_metadata import (
    choose_content_type,
    identify_place,
    identify_source,
    is_same_place,
    is_same_version,
    make_conditions,
    make_metadata,
    read_validators,
)
from csv_streamer.schemas import Entry, Expectation, Head, Validators

TIME = datetime(2026, 3, 7, 1, 2, 3, 456789, tzinfo=UTC)
URL = "https://host/a.csv"
ENTRY = Entry(URL)
ID = "0" * 64
DATE = "Sat, 07 Mar 2026 01:02:03 GMT"
HEADER = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=300).filter(
    lambda text: text == text.strip()
)


def head(etag: str | None = None, modified: str | None = None, content_type: str | None = None) -> Head:
    return Head(URL, 1, Validators(etag, modified), accepts_ranges=True, content_type=content_type)


def test_metadata_tells_where_an_object_came_from() -> None:
    entry = Entry("https://u:p@host/ñ.csv?sig=x")
    assert make_metadata(entry, "5e1f", head('"e"', DATE), TIME) == {
        "source_url": "https://host/%C3%B1.csv?sig=",
        "source_id": "5e1f",
        "source_place": identify_place(URL),
        "ingestion_time": "2026-03-07T01:02:03.456789+00:00",
        "source_etag": '"e"',
        "source_last_modified": DATE,
    }


def test_metadata_has_no_validators_where_the_server_gives_none() -> None:
    assert set(make_metadata(ENTRY, ID, head(), TIME)) == {"source_url", "source_id", "source_place", "ingestion_time"}


@settings(deadline=None)
@given(st.text(max_size=3000), HEADER | st.none(), HEADER | st.none())
def test_metadata_is_ascii_and_within_two_kilobytes(path: str, etag: str | None, modified: str | None) -> None:
    metadata = {**make_metadata(Entry(f"https://host/{path}"), ID, head(etag, modified), TIME), "sha256": ID}
    told = "".join(name + value for name, value in metadata.items())
    assert told.isascii()
    assert told.isprintable()
    assert len(told) <= 2048


@settings(deadline=None)
@given(HEADER | st.none(), HEADER | st.none())
def test_validators_come_back_as_they_were_or_not_at_all(etag: str | None, modified: str | None) -> None:
    metadata = make_metadata(ENTRY, ID, head(etag, modified), TIME)
    stored = read_validators(metadata)
    assert stored.etag == (etag if "source_etag" in metadata else None)
    assert stored.last_modified == (modified if "source_last_modified" in metadata else None)


def test_validator_too_long_to_be_kept_is_left_out_whole() -> None:
    assert "source_etag" in make_metadata(ENTRY, ID, head('"' + "x" * 200 + '"'), TIME)
    assert "source_etag" not in make_metadata(ENTRY, ID, head('"' + "x" * 300 + '"'), TIME)


def test_stored_object_without_metadata_has_no_validators() -> None:
    assert read_validators({}) == Validators(None, None)


@pytest.mark.parametrize(
    ("entry", "headers"),
    [
        pytest.param(Entry("https://host/a?key=2"), {}, id="query"),
        pytest.param(Entry("https://host/b?key=1"), {}, id="path"),
        pytest.param(Entry("https://other/a?key=1"), {}, id="host"),
        pytest.param(Entry("http://host/a?key=1"), {}, id="scheme"),
        pytest.param(Entry("https://host/a?key=1#b"), {}, id="fragment"),
        pytest.param(Entry("https://u:p@host/a?key=1"), {}, id="credentials"),
        pytest.param(Entry("https://host/a?key=1" + "x" * 5000), {}, id="beyond what is kept of the URL"),
        pytest.param(Entry("https://host/a?key=1"), {"X-Dataset": "b"}, id="header"),
        pytest.param(Entry("https://host/a?key=1", expect=Expectation(min_size=1)), {}, id="expectation"),
    ],
)
def test_source_is_another_if_anything_is_that_decides_what_comes(entry: Entry, headers: dict[str, str]) -> None:
    assert identify_source(entry, headers) != identify_source(Entry("https://host/a?key=1"), {})


def test_source_is_the_same_however_its_url_and_headers_are_written() -> None:
    one, other = Entry("https://host/ñ b.csv", name="x.csv"), Entry("https://host/%C3%B1%20b.csv", name="y.csv")
    assert identify_source(one, {"Accept": "a", "X": "b"}) == identify_source(other, {"x": "b", "accept": "a"})


def test_place_is_the_same_whatever_is_signed() -> None:
    metadata = make_metadata(ENTRY, ID, replace(head(), url="https://u:p@cdn/a.csv?sig=1"), TIME)
    assert is_same_place(metadata, "https://cdn/a.csv?sig=2")
    assert not is_same_place(metadata, "https://cdn/b.csv?sig=1")
    assert not is_same_place({}, "https://cdn/a.csv")


@pytest.mark.parametrize(
    ("stored", "served", "same"),
    [
        (Validators('"a"', DATE), Validators('"a"', DATE), True),
        (Validators('"a"', DATE), Validators('"a"', "later"), True),
        (Validators('"a"', DATE), Validators('"b"', DATE), False),
        (Validators('W/"a"'), Validators('W/"a"'), True),
        (Validators('W/"a"'), Validators('"a"'), False),
        (Validators(None, DATE), Validators(None, DATE), True),
        (Validators(None, DATE), Validators(None, "later"), False),
        (Validators('"a"', DATE), Validators(None, DATE), False),
        (Validators(None, DATE), Validators('"a"', DATE), False),
        (Validators(), Validators(), False),
    ],
)
def test_version_is_told_by_etag_else_by_date(stored: Validators, served: Validators, same: bool) -> None:
    assert is_same_version(stored, served) is same
    assert is_same_version(replace(stored, last_modified_is_strong=True), served) is same


def test_conditions_are_those_that_the_validators_allow() -> None:
    both = {"If-None-Match": '"a"', "If-Modified-Since": DATE}
    assert make_conditions(Validators('"a"', DATE)) == both
    assert make_conditions(Validators(None, DATE)) == {"If-Modified-Since": DATE}
    assert make_conditions(Validators()) == {}


@pytest.mark.parametrize(
    ("of_entry", "served", "chosen"),
    [
        (None, None, "text/csv"),
        (None, "", "text/csv"),
        (None, "application/octet-stream", "text/csv"),
        (None, "Binary/Octet-Stream; x=y", "text/csv"),
        (None, "; charset=utf-8", "text/csv"),
        (None, "text/csv; charset=utf-16", "text/csv; charset=utf-16"),
        (None, " application/json ", "application/json"),
        (None, "text/cśv", "text/csv"),
        (None, "text/\x01csv", "text/csv"),
        (None, "text/plain\x7f", "text/csv"),
        ("application/x-mine", "text/csv", "application/x-mine"),
    ],
)
def test_content_type_is_the_entrys_else_the_servers(of_entry: str | None, served: str | None, chosen: str) -> None:
    assert choose_content_type(Entry(URL, content_type=of_entry), head(content_type=served)) == chosen
