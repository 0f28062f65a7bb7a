"""The xAPI ETL's conversion against its reference algorithm, DuckDB and Polars; no S3 and no ClickHouse."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from tests.bench.harness.comparison import (
    OURS,
    REFERENCE,
    Bill,
    Case,
    Contender,
    Counts,
    Outcome,
    Row,
    make_row,
    run_case,
)
from tests.bench.harness.processes import ROOT, RunError
from tests.bench.harness.ratios import compare
from tests.unit.xapi_etl.statements import make_statements, write_lines

SERVICE = "xapi_etl"
BENCH_PYTHON = ROOT / ".local" / "bench-venv" / "bin" / "python"
_DUCKDB, _POLARS = "DuckDB", "Polars, no SHA-256"
_WHOLE = f"{REFERENCE}, whole statements, no SHA-256"
_STATEMENTS, _ONE_CORE_STATEMENTS = 200_000, 50_000
_AT_ONCE = 10_000
_MEMORY_MB = 1024
_SPEED_TARGET, _MEMORY_TARGET = 12.0, 2.0
_KEY = "statement_id"
_NOT_ALL = {"event_hash", "source_line"}
_DIGITS, _WEIGHTS = 6, 1_000


def run_all_cores(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """Every contender with all processors; also rows for the peak memory."""
    outcome = _run(folder, rounds, say, f"conversion of {_STATEMENTS:,} statements", _STATEMENTS)
    peaks = {name: [run.rss_mb for run in runs] for name, runs in outcome.runs.items()}
    rows = []
    for contender in outcome.case.contenders[1:]:
        ratio = compare(peaks[OURS], peaks[contender.name])
        target = _MEMORY_TARGET if contender.name in {REFERENCE, _WHOLE} else 1.0
        name, ours = f"peak memory of {_STATEMENTS:,} statements", median(peaks[OURS])
        rows.append(make_row(SERVICE, name, contender.name, target, ratio, rss_mb=ours, s3_requests=None))
    return outcome, rows


def run_one_core(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """Every contender with one processor, which is more than a function of 1,024 MB has."""
    count = _ONE_CORE_STATEMENTS
    return _run(folder, rounds, say, f"conversion of {count:,} statements, one core", count, "--one-core"), []


def _run(folder: Path, rounds: int, say: Callable[[str], None], name: str, statements: int, *options: str) -> Outcome:
    source, target = folder / "statements.jsonl", folder / "converted"
    say(f"{SERVICE}: making {statements:,} statements")
    with source.open("wb") as file:
        for seed in range(statements // _AT_ONCE):
            file.write(write_lines(make_statements(_AT_ONCE, seed=seed)))
    contenders = [
        _make_contender(OURS, "ours", sys.executable, folder, *options),
        _make_contender(REFERENCE, "reference", sys.executable, folder, *options, target=_SPEED_TARGET),
        _make_contender(_WHOLE, "whole", sys.executable, folder, *options, target=_SPEED_TARGET),
    ]
    if BENCH_PYTHON.exists():
        contenders += [
            _make_contender(_DUCKDB, "duckdb", str(BENCH_PYTHON), folder, *options),
            _make_contender(_POLARS, "polars", str(BENCH_PYTHON), folder, *options),
        ]
    else:
        say("skipped, not installed: DuckDB, Polars")
    expected: dict[str, str] = {}

    def prepare() -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()

    def finish() -> Counts:
        found = describe(target)
        expected.update({name: value for name, value in found.items() if name not in expected})
        wrong = sorted(name for name, value in found.items() if expected[name] != value)
        missing = expected.keys() - found.keys() - _NOT_ALL
        if wrong or (missing and found.keys() != {_KEY}):
            raise RunError(f"contenders differ in {', '.join(wrong) or 'their columns'}")
        return {}

    bill = Bill(1, source.stat().st_size, _MEMORY_MB)
    return run_case(Case(SERVICE, name, contenders, prepare, finish, bill), rounds, folder, say)


def _make_contender(name: str, how: str, python: str, folder: Path, *options: str, target: float = 1.0) -> Contender:
    result = folder / f"{how}.json"
    places = [str(folder / "statements.jsonl"), str(folder / "converted"), str(result)]
    paths = os.pathsep.join(map(str, [ROOT, ROOT / "lambdas"]))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": paths}
    command = [python, "-m", "tests.bench.contenders.convert_statements", how, *places, *options]
    return Contender(name, command, environment, own_time=result, target=target)


def describe(folder: Path) -> dict[str, str]:
    """Return something of each column that differs if rows do: how many values, and what they come to.

    Values are weighted by the row's number, so that they have to be in the right rows. Of whole statements: the id.
    """
    tables = [pq.ParquetFile(path).read() for path in sorted(folder.glob("*.parquet"))]
    table = pa.concat_tables([each.select(sorted(each.column_names)) for each in tables], promote_options="permissive")
    if _KEY not in table.column_names:
        table = table.select(["id"]).rename_columns([_KEY])
    weights = pa.array(np.arange(len(table)) % _WEIGHTS + 1, pa.int64())
    return {name: _describe(table.column(name), weights) for name in table.column_names}


def _describe(column: pa.ChunkedArray, weights: pa.Array) -> str:
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column = column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        numbers = column.cast(pa.timestamp("ms", "UTC")).cast(pa.int64())
    elif pa.types.is_list(kind):
        numbers = pc.list_value_length(column)
    elif pa.types.is_string(column.type):
        numbers = pc.add(pc.binary_length(column), pc.count_substring_regex(column, "[0-4a]"))
    else:
        numbers = column.cast(pa.float64())
    total = pc.sum(pc.multiply(numbers.cast(pa.float64()), weights)).as_py() or 0.0
    return f"{len(column) - column.null_count} values, {total:.{_DIGITS}e}"
