"""The tables say what latest.json says."""

import re
from pathlib import Path

import pytest

from tests.bench.harness.comparison import Row, make_row
from tests.bench.harness.ratios import Ratio
from tests.bench.report.tables import BEGIN, END, RESULTS, make_block, make_report, read_rows, replace_block

ROOT = Path(__file__).parents[4]


def make(service: str, case: str, ratio: float, **further: object) -> Row:
    spread = Ratio(ratio, ratio - 0.25, ratio + 0.25)
    return make_row(service, case, "them", 2.0, spread, rss_mb=120.0, s3_requests=1017) | further


def test_readme_and_results_do_not_drift_apart() -> None:
    readme = (ROOT / "README.md").read_text()
    assert replace_block(readme, make_block(read_rows())) == readme, "run: make bench SERVICE=report"
    assert RESULTS.with_suffix(".md").read_text() == make_report(read_rows())


def test_miss_is_marked_and_counted() -> None:
    block = make_block([make("zip_jobs", "one", 3.0), make("zip_jobs", "two", 1.5)])
    assert block.startswith("1 of 2 targets are met")
    assert "| `zip_jobs` | one | them | 2 | 3.00 | 2.75 … 3.25 | 120 | 1,017 |" in block
    assert "|  | two | them | 2 | **1.50 missed** | 1.25 … 1.75 | 120 | 1,017 |" in block


def test_handlers_are_shown_with_the_size_of_their_package() -> None:
    rows = [
        make("cold_start", "zip_worker.dead_letters", 3.0),
        make("size", "zip_worker", 40.0, mb=6.2, parts={"zip_worker": 0.3, "powertools": 5.9}),
    ]
    assert "| `zip_worker.dead_letters` | 2 | 3.00 | 2.75 … 3.25 | 6.2 MB |" in make_block(rows)
    assert "| `zip_worker` | 6.20 | 2.5% | zip_worker 0.3, powertools 5.9 |" in make_report(rows)


def test_block_is_replaced_and_the_rest_left() -> None:
    assert replace_block(f"a\n{BEGIN}\nold\n{END}\nb\n", "new\n") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb\n"
    with pytest.raises(ValueError, match="no <!-- bench: begin"):
        replace_block("a", "new")


def test_every_table_has_as_many_cells_in_each_line() -> None:
    for text in (make_block(read_rows()), make_report(read_rows())):
        for table in re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE):
            assert len({line.count(" | ") for line in table.splitlines()}) == 1
