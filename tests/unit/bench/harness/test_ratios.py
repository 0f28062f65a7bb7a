"""Ratios, rows and how they are kept."""

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import merge
from tests.bench.harness.comparison import OURS, Case, Contender, Outcome, Row, Run, make_row
from tests.bench.harness.ratios import Ratio, compare
from tests.bench.report.tables import is_met

KEYS = ["service", "case", "against", "target", "ratio", "low", "high", "rss_mb", "s3_requests"]


def make(case: str, ratio: float, service: str = "a") -> Row:
    return make_row(service, case, "them", 2.0, Ratio(ratio, ratio, ratio), rss_mb=1.2, s3_requests=3)


def test_ratio_is_the_median_of_the_rounds_with_its_spread() -> None:
    assert compare([1.0, 2.0, 1.0], [3.0, 4.0, 10.0]) == Ratio(3.0, 2.0, 10.0)
    assert compare([2.0], [1.0]) == Ratio(0.5, 0.5, 0.5)


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0], []), ([1.0], [1.0, 2.0])])
def test_runs_without_a_counterpart_are_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        compare(ours, theirs)


def test_rows_compare_ours_with_every_other() -> None:
    contenders = [Contender(OURS, [], {}), Contender("x", [], {}, target=2.0), Contender("y", [], {})]
    outcome = Outcome(Case("service", "case", contenders, lambda: None, dict))
    outcome.runs = {
        OURS: [Run(1.0, 0.5, 100.0, 7), Run(1.0, 0.5, 120.4, 7)],
        "x": [Run(2.0, 0.5, 10.0, 9), Run(4.0, 0.5, 10.0, 9)],
        "y": [Run(0.5, 0.5, 10.0, 9), Run(0.5, 0.5, 10.0, 9)],
    }
    rows = outcome.make_rows()
    assert [list(row)[: len(KEYS)] for row in rows] == [KEYS, KEYS]
    assert [rows[0][key] for key in KEYS] == ["service", "case", "x", 2.0, 3.0, 2.0, 4.0, 120, 7]
    assert [(row["ours"]["seconds"], row["theirs"]["seconds"]) for row in rows] == [(1.0, 3.0), (1.0, 0.5)]
    assert [(row["against"], is_met(row)) for row in rows] == [("x", True), ("y", False)]


def test_results_of_what_was_not_run_are_kept() -> None:
    old = [make("renamed", 1.0), make("peak memory, 1 GB", 1.0), make("one", 1.0, service="b")]
    new = [make("two", 5.0)]
    short = [(row["service"], row["case"]) for row in merge(old, new, long=False)]
    assert short == [("a", "peak memory, 1 GB"), ("a", "two"), ("b", "one")]
    assert [(row["service"], row["case"]) for row in merge(old, new, long=True)] == [("a", "two"), ("b", "one")]


def test_peak_memory_that_was_measured_again_stands_once() -> None:
    old, new = [make("peak memory of 10 rows", 1.0)], [make("peak memory of 10 rows", 2.0)]
    assert merge(old, new, long=False) == new


def test_no_case_stands_twice_in_the_committed_results() -> None:
    rows = json.loads((Path(__file__).parents[3] / "bench" / "results" / "latest.json").read_text())
    names = [(row["service"], row["case"], row["against"]) for row in rows]
    assert sorted(set(names)) == sorted(names)


def test_committed_results_have_the_agreed_keys() -> None:
    rows = json.loads((Path(__file__).parents[3] / "bench" / "results" / "latest.json").read_text())
    assert rows
    assert all(list(row)[: len(KEYS)] == KEYS and row["low"] <= row["ratio"] <= row["high"] for row in rows)
