"""The handlers that the cold start bench starts, and its rows."""

import re
from pathlib import Path

from tests.bench.cases.cold_starts import HANDLERS, Start, make_rows
from tests.bench.cases.package_sizes import make_size_rows

ROOT = Path(__file__).parents[4]
ADAPTED = {"dataset_download.serve"}
"""Started by a script, under the Web Adapter."""


def test_every_handler_that_is_deployed_is_measured() -> None:
    terraform = "".join(path.read_text() for path in (ROOT / "infra/services").rglob("*.tf"))
    deployed = set(re.findall(r'"([\w.]+)\.lambda_handler"', terraform))
    assert deployed
    assert set(HANDLERS) - ADAPTED == deployed


def test_ratio_is_boto3_by_handler_in_processor_time() -> None:
    found = {name: [Start(9.0, 0.5)] * 5 for name in HANDLERS} | {"boto3": [Start(1.0, 0.25)] * 5}
    rows = make_rows(found)
    assert [row["case"] for row in rows] == list(HANDLERS)
    assert {(row["ratio"], row["low"], row["high"]) for row in rows} == {(0.5, 0.5, 0.5)}


def test_size_is_compared_with_what_lambda_allows() -> None:
    zips = {"alpha": {"packed": 1, "unpacked": 1 << 20}, "one": {"packed": 1, "unpacked": 124 << 20}}
    functions = {"alpha": {"layers": ["one"], "unpacked": 125 << 20}}
    (row,) = make_size_rows({"zips": zips, "functions": functions})
    assert (row["case"], row["ratio"], row["mb"]) == ("alpha", 2.0, 125.0)
    assert row["parts"] == {"alpha": 1.0, "one": 124.0}
