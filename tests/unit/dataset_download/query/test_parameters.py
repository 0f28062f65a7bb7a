# ruff: noqa: DTZ001 - columns without a time zone hold times without one
"""The parser of query strings, and its errors."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from dataset_download.exceptions import QueryError
from dataset_download.query.parameters import Query, SortKey, parse_query

SCHEMA = pa.schema(
    [
        ("organisation-entity", pa.string()),
        ("count", pa.int64()),
        ("small", pa.uint8()),
        ("price", pa.decimal128(10, 2)),
        ("ratio", pa.float64()),
        ("day", pa.date32()),
        ("moment", pa.timestamp("us")),
        ("instant", pa.timestamp("ms", "Europe/London")),
        ("clock", pa.time32("ms")),
        ("flag", pa.bool_()),
        ("raw", pa.binary()),
        ("tags", pa.list_(pa.string())),
        ("limit", pa.int64()),
        ("select", pa.string()),
        ("a.b", pa.int64()),
        ("with space", pa.string()),
        ("x__gt", pa.int64()),
        ("a,b", pa.string()),
        ("-count", pa.int64()),
        ("kind", pa.dictionary(pa.int32(), pa.string())),
    ]
)


def parse(*pairs: tuple[str, str], organisation_column: str = "organisation-entity") -> Query:
    return parse_query(list(pairs), SCHEMA, organisation_column=organisation_column)


def read_filters(query: Query) -> list[tuple[str, str, list[Any]]]:
    return [(each.column, each.operator, [value.as_py() for value in each.values]) for each in query.filters]


def test_no_parameters_ask_for_everything() -> None:
    assert parse() == Query()
    assert parse().is_full


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "-9223372036854775808", -(2**63)),
        ("count", "9223372036854775807", 2**63 - 1),
        ("count", "+5", 5),
        ("small", "255", 255),
        ("price", "12345678.90", Decimal("12345678.90")),
        ("price", "1e2", Decimal(100)),
        ("ratio", "-1.5e-3", -0.0015),
        ("ratio", "-inf", float("-inf")),
        ("day", "2024-02-29", date(2024, 2, 29)),
        ("moment", "2024-02-29", datetime(2024, 2, 29)),
        ("moment", "2024-02-29T09:30", datetime(2024, 2, 29, 9, 30)),
        ("moment", "2024-02-29 09:30:15.000001", datetime(2024, 2, 29, 9, 30, 15, 1)),
        ("flag", "TRUE", True),
        ("flag", "0", False),
        ("with space", "", ""),
        ("a.b", "1", 1),
        ("x__gt", "1", 1),
        ("kind", "a", "a"),
    ],
)
def test_values_are_parsed_as_the_column_s_type(name: str, text: str, value: object) -> None:
    assert read_filters(parse((name, text))) == [(name, "eq", [value])]


@pytest.mark.parametrize(
    "text", ["2024-07-01T13:00:00+01:00", "2024-07-01T13:00:00 01:00", "2024-07-01T12:00:00Z", "2024-07-01T12:00"]
)
def test_offsets_are_heeded_and_their_absence_is_utc(text: str) -> None:
    (found,) = parse(("instant", text)).filters
    assert found.values[0].cast(pa.int64()).as_py() == 1719835200000


REFUSED = {
    "count": ["1.0", "1e3", " 1", "", "१", "9" * 41, "9223372036854775808"],
    "small": ["-1", "256"],
    "price": ["1.001", "123456789", "nan", "inf", ""],
    "ratio": ["nan", "1,5", "", "0x1"],
    "day": ["2023-02-29", "20240101", "2024-01-01T00:00", ""],
    "moment": ["2024-01-01T24:00", "2024-01-01T09:30:00.0000001", "2024-01-01T09:30:00Z", "yesterday"],
    "instant": ["2024-01-01T09:30:00+99:00"],
    "clock": ["9:30", "25:00"],
    "flag": ["yes", ""],
    "raw": ["abc"],
    "raw__gt": ["a"],
    "tags": ["a"],
    "count__contains": ["1"],
    "count__startswith": ["1"],
    "count__isnull": ["", "perhaps"],
    "count__like": ["1"],
    "nothing": ["1"],
    "nothing__gt": ["1"],
    "": ["1"],
    "limit": ["-1", "", "1.5", "ten", "9" * 19],
    "offset": ["-1", "x"],
    "select": ["", "count,nothing", "count,count", "count,", '"count'],
    "sort": ["", "nothing", "raw", "tags", "count,-count,count"],
    "organisation-entity": ["\ud800"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts])
def test_what_means_nothing_is_refused(name: str, text: str) -> None:
    with pytest.raises(QueryError):
        parse((name, text))


def test_an_unknown_column_s_error_lists_the_columns() -> None:
    with pytest.raises(
        QueryError, match=r"There is no column colour\. The columns are organisation-entity, count, .*kind"
    ):
        parse(("colour", "red"))


def test_an_error_names_the_parameter_and_what_was_expected() -> None:
    with pytest.raises(QueryError, match="count__gt=many: a whole number is expected"):
        parse(("count__gt", "many"))


def test_messages_stay_short_and_on_one_line() -> None:
    for name, value in (("x" * 10_000, "1"), ("count", "y" * 10_000), ("count", "a\r\nSet-Cookie: b"), ("n\x00", "1")):
        with pytest.raises(QueryError) as caught:
            parse((name, value))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1_000


def test_repeated_equality_is_any_of_and_repeated_comparisons_are_all_of() -> None:
    query = parse(("count", "1"), ("count__gt", "0"), ("count", "2"), ("count__gt", "5"))
    assert read_filters(query) == [("count", "eq", [1, 2]), ("count", "gt", [0]), ("count", "gt", [5])]


def test_the_organisation_s_parameter_filters_whatever_its_column_is_called() -> None:
    query = parse_query([("organisation-entity", "a")], pa.schema([("org", pa.string())]), organisation_column="org")
    assert read_filters(query) == [("org", "eq", ["a"])]


def test_the_organisation_s_parameter_is_unknown_without_its_column() -> None:
    with pytest.raises(QueryError, match="no column organisation-entity"):
        parse_query([("organisation-entity", "a")], pa.schema([("x", pa.string())]), organisation_column="org")


def test_columns_of_reserved_names_are_filtered_by_an_operator() -> None:
    query = parse(("limit__eq", "7"), ("limit", "3"), ("select__eq", "x"), ("x__gt__gt", "1"), ("a,b__ne", "y"))
    assert read_filters(query) == [
        ("limit", "eq", [7]),
        ("select", "eq", ["x"]),
        ("x__gt", "gt", [1]),
        ("a,b", "ne", ["y"]),
    ]
    assert query.limit == 3


def test_selected_columns_keep_their_order_and_may_be_quoted() -> None:
    assert parse(("select", 'day,"a,b",count')).select == ("day", "a,b", "count")
    assert parse(("select", "a,b")).select == ("a,b",)
    assert parse(("select", "day"), ("select", "limit")).select == ("day", "limit")


def test_sort_keys_may_descend() -> None:
    assert parse(("sort", "day,-ratio")).sort == (SortKey("day"), SortKey("ratio", descending=True))
    assert parse(("sort", "-count")).sort == (SortKey("-count"),)
    assert parse(("sort", "--count")).sort == (SortKey("-count", descending=True),)


def test_a_number_given_twice_is_refused() -> None:
    for name in ("limit", "offset"):
        with pytest.raises(QueryError, match=f"{name} is given twice"):
            parse((name, "1"), (name, "2"))


def test_queries_that_mean_the_same_have_one_canonical_text() -> None:
    one = parse(("count", "1"), ("count", "2"), ("day__gt", "2024-01-01"), ("count", "1"))
    other = parse(("day__gt", "2024-01-01"), ("count", "+2"), ("count", "01"))
    assert one.canonical == other.canonical
    texts = {
        parse(*pairs).canonical
        for pairs in ([], [("limit", "0")], [("offset", "1")], [("select", "day")], [("sort", "day")])
    }
    assert len(texts) == 5


def test_values_of_different_columns_are_not_confused() -> None:
    assert parse(("with space", "a,b")).canonical != parse(("with space", "a"), ("with space", "b")).canonical


def test_long_queries_are_read() -> None:
    query = parse(*[("count", str(number)) for number in range(2_000)])
    assert len(query.filters[0].values) == 2_000


@pytest.mark.parametrize("name", ["select", "sort"])
@pytest.mark.parametrize("text", ["", "\n", "\r"])
def test_a_list_of_nothing_is_refused(name: str, text: str) -> None:
    with pytest.raises(QueryError, match="at least one column"):
        parse((name, text))


def test_times_need_no_time_zone_database() -> None:
    schema = pa.schema([("at", pa.timestamp("us", "Nowhere/Known"))])
    first, same, other = (
        parse_query([("at", text)], schema, organisation_column="at").canonical
        for text in ("2024-05-31T09:30:00Z", "2024-05-31T10:30:00+01:00", "2024-05-31T10:30:00Z")
    )
    assert first == same != other
