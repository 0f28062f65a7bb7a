import pytest

from dataset_download.query.parameters import Filter, Query
from dataset_download.request.headers import attach, choose_encoding, matches, name_file


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("br, zstd", "identity"),
        ("nonsense;;;q=x, ,", "identity"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.000", "identity"),
        ("gzip;q=0.5", "gzip"),
        ("gzip;q=0.5, identity;q=0.8", "identity"),
        ("gzip;q=0.8, identity;q=0.5", "gzip"),
        ("*", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity;q=0", None),
        ("*;q=0", None),
        ("br, *;q=0", None),
        ("identity;q=0, *", "gzip"),
        ("gzip;q=7", "identity"),
    ],
)
def test_the_coding_is_the_one_that_is_accepted_most(header: str | None, expected: str | None) -> None:
    assert choose_encoding(header, compressible=True) == expected


@pytest.mark.parametrize(
    ("header", "expected"), [("gzip", "identity"), ("*", "identity"), ("identity;q=0, gzip", None)]
)
def test_parquet_is_never_compressed(header: str, expected: str | None) -> None:
    assert choose_encoding(header, compressible=False) == expected


@pytest.mark.parametrize(
    "header", ['"abc"', 'W/"abc"', '"abc-gzip"', 'W/"abc-gzip"', '"x", "abc"', "*", ' "abc" ', '"a,b", W/"abc-gzip"']
)
def test_a_tag_that_the_caller_has_matches(header: str) -> None:
    assert matches(header, "abc")


@pytest.mark.parametrize("header", [None, "", '"ab"', '"abcd"', "abc", '"ABC"', '"abc-br"', '""'])
def test_other_tags_do_not_match(header: str | None) -> None:
    assert not matches(header, "abc")


def name(**filters: str) -> str:
    conditions = tuple(Filter(column, "eq", (), (text,)) for column, text in filters.items())
    return name_file("customers", Query(filters=conditions), "csv")


def test_the_file_name_tells_the_filter() -> None:
    assert name() == "customers.csv"
    assert name(organisation="org-7") == "customers_organisation-org-7.csv"
    other = Query(filters=(Filter("age", "gte", (), ("7",)),), limit=10, offset=5)
    assert name_file("customers", other, "json") == "customers_age-gte-7_offset-5_limit-10.json"


def test_a_file_name_is_one_segment_without_tricks() -> None:
    found = name(x='../..\\"a;b\r\nSet-Cookie: c\x00\u202e')
    assert not set(found) & set('/\\";\r\n\x00\u202e:')
    assert len(name(x="ü" * 1000)) <= 160


def test_a_name_outside_ascii_is_told_in_both_ways() -> None:
    header = attach(name(city="Zürich 東"))
    assert header == (
        "attachment; filename=\"customers_city-Zurich-.csv\"; filename*=UTF-8''customers_city-Z%C3%BCrich-%E6%9D%B1.csv"
    )
    header.encode("latin-1")
