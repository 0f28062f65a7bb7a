"""Times and durations: Arrow's parser and our own agree."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tiers import scale
from xapi_etl.converting import transforms
from xapi_etl.converting.transforms import find_months, parse_durations, parse_times, to_unsigned

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_one(text: str) -> int | None:
    """Return milliseconds; None for an invalid time."""
    values, wrong = parse_times(pa.array([text]))
    return None if wrong is not None else values.cast(pa.int64())[0].as_py()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01T00:00:00.1Z", "2025-01-01T00:00:00.100+00:00"),
        ("2025-01-01T00:00:00.123456789Z", "2025-01-01T00:00:00.123+00:00"),
        ("2025-01-01T00:00:00.1239999999999Z", "2025-01-01T00:00:00.123+00:00"),
        ("2025-01-01T05:30:00+05:30", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01T05:30:00+0530", "2025-01-01T00:00:00+00:00"),
        ("2024-12-31T16:00:00-08", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01 00:00:00Z", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01t00:00:00z", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01T00:00:00", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01T00:00:00,5Z", "2025-01-01T00:00:00.500+00:00"),
        ("2025-01-01", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01T12:30Z", "2025-01-01T12:30:00+00:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("1969-12-31T23:59:59.9995Z", "1969-12-31T23:59:59.999+00:00"),
    ],
)
def test_time_of_any_form(text: str, expected: str) -> None:
    assert parse_one(text) == (datetime.fromisoformat(expected) - EPOCH) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "now",
            "2025",
            "2025-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2025-01-01T24:00:00Z",
            "20250101T000000Z",
        ],
        *["2025-01-01T00:00:61Z", "2025-01-01T00:00:00+24:00", "2025-01-01T00:00:00+05:60", "2025-01-01T00:00:00.Z"],
        *["0000-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "2300-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2025-W01"],
        *["1900-01-01T00:00:00+00:01", " 2025-01-01", "2025-01-01T00:00:00Z\n", "٢٠٢٥-01-01", "1735689600"],
    ],
)
def test_invalid_time(text: str) -> None:
    assert parse_one(text) is None


near_times = st.from_regex(
    re.compile(
        r"(?:19|20|22|23|00|99)\d\d-[01]\d-[0-3]\d(?:[Tt ][0-2]\d(?::[0-6]\d(?::[0-6]\d(?:[.,]\d{0,10})?)?)?)?"
        r"(?:Z|z|[+-]\d\d(?::?\d\d)?)?",
        re.ASCII,
    ),
    fullmatch=True,
)


@settings(deadline=None, max_examples=scale(1500, 20))
@given(st.lists(near_times, min_size=1, max_size=20))
def test_time_means_the_same_whatever_its_neighbours(texts: list[str]) -> None:
    alone = [parse_one(text) for text in texts]
    values, wrong = parse_times(pa.array([*texts, None, "no time"]))
    mask = np.zeros(len(texts) + 2, bool) if wrong is None else wrong
    together = [None if bad else value for value, bad in zip(values.cast(pa.int64()).to_pylist(), mask, strict=True)]
    assert together == [*alone, None, None]
    assert mask[-2:].tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("PT1S", 1), ("PT0.25S", 0.25), ("PT1,5S", 1.5), ("PT1M", 60), ("PT1H1M1S", 3661), ("P1D", 86400)],
        *[("P1W", 604800), ("P1Y", 365 * 86400), ("P1M", 30 * 86400), ("P1Y2M3DT4H5M6.7S", 36_993_906.7), ("PT0S", 0)],
    ],
)
def test_duration_in_seconds(text: str, seconds: float) -> None:
    values, wrong = parse_durations(pa.array([text]))
    assert wrong is None
    assert values.to_pylist() == [pytest.approx(seconds)]


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1S", "PT1", "PT-1S", "-PT1S", "pt1s", "PT1S ", "P1W2D", "PT1M1H", "PT٢S"]
)
def test_invalid_duration(text: str) -> None:
    values, wrong = parse_durations(pa.array([text, None, "PT1S"]))
    assert wrong is not None
    assert wrong.tolist() == [True, False, False]
    assert values.to_pylist() == [None, None, 1.0]


def test_unsigned_numbers_are_not_negative() -> None:
    values, wrong = to_unsigned(pa.array([1, -1, None], pa.int64()))
    assert wrong is not None
    assert wrong.tolist() == [False, True, False]
    assert values.to_pylist() == [1, None, None]


def test_months_count_from_1970() -> None:
    times = parse_times(pa.array(["1969-12-31T23:59:59Z", None, "1970-02-01", "2025-01-31T23:59:59.999Z"]))[0]
    assert find_months(times).tolist() == [-1, 0, 1, 660]


def test_arrow_reads_the_usual_times(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> int:
        raise AssertionError("read one by one")

    monkeypatch.setattr(transforms, "_parse_time", refuse)
    assert parse_one("2025-01-01T00:00:00.123Z") is not None
    assert parse_one("2025-01-01T00:00:00.123456+02:00") is not None


usual_durations = st.from_regex(
    re.compile(r"PT(?:\d{1,4}H)?(?:\d{1,4}M)?\d{1,10}(?:\.\d{1,10})?S", re.ASCII), fullmatch=True
)


@settings(deadline=None, max_examples=scale(500, 20))
@given(st.lists(st.one_of(usual_durations, st.none(), st.sampled_from(["P1D", "PT1M", "PT1,5S", "PT1S\n", "?"]))))
def test_duration_means_the_same_to_both_parsers(texts: list[str | None]) -> None:
    values, wrong = parse_durations(pa.array(texts, pa.string()))
    assert values.to_pylist() == [transforms._parse_duration(text) for text in texts]
    expected = [text is not None and transforms._parse_duration(text) is None for text in texts]
    assert (wrong.tolist() if wrong is not None else [False] * len(texts)) == expected
