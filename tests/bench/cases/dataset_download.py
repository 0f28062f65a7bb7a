"""The dataset download against its reference pattern, Polars and DuckDB; first byte; memory."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from tests.bench.cases.csv_streamer import LATENCY_MS, MB_PER_SECOND
from tests.bench.contenders.download_dataset import KEY, ORGANISATIONS
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
from tests.bench.harness.processes import ROOT, RunError, measure, run_server
from tests.bench.harness.ratios import Ratio, compare

SERVICE = "dataset_download"
BENCH_PYTHON = ROOT / ".local" / "bench-venv" / "bin" / "python"
LONG_CASE = "peak memory"
_ROWS, _GROUP_ROWS = 1_000_000, 122_880
_DIFFERENT_GROUPS = 9
_MEMORY_MB = 512
_MILLION_BYTES = 37.5e6
"""Size of a million of these rows in Parquet."""
_SPEED_TARGET, _SLICE_TARGET, _MEMORY_TARGET, _FIRST_BYTE_TARGET = 12.0, 20.0, 0.8, 20.0
_WORDS = "Acorn Bridge Chapel Dairy Elm Field Grange Hill Island Junction Kiln Lodge Meadow North Orchard Park Quarry"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
_CASES = {
    "csv": (f"CSV of {_ROWS:,} rows", _SPEED_TARGET),
    "json": (f"JSON of {_ROWS:,} rows", _SPEED_TARGET),
    "slice": (f"CSV of one organisation of {ORGANISATIONS}", _SLICE_TARGET),
    "parquet": (f"Parquet, half of {_ROWS:,} rows", 1.0),
}


def write_dataset(path: Path, rows: int) -> None:
    """Write a sorted dataset of seven columns, row group by row group."""
    schema = None
    with ExitStack() as stack:
        writer = None
        for start in range(0, rows, _GROUP_ROWS):
            table = _make_rows(start, min(_GROUP_ROWS, rows - start), rows)
            if writer is None:
                schema = table.schema
                writer = stack.enter_context(pq.ParquetWriter(path, schema))
            writer.write_table(table, row_group_size=_GROUP_ROWS)


def _make_rows(start: int, count: int, rows: int) -> pa.Table:
    numbers = np.arange(start, start + count)
    places = pa.array(numbers * ORGANISATIONS // rows, pa.int32())
    organisations = [f"local-authority:{number:03d}" for number in range(ORGANISATIONS)]
    noise = _make_noise(start // _GROUP_ROWS % _DIFFERENT_GROUPS).slice(0, count)
    return pa.table(
        {
            "entity": pa.array(44_000_000 + numbers, pa.int64()),
            "organisation-entity": pa.DictionaryArray.from_arrays(places, organisations).cast(pa.string()),
            **{name: noise.column(name) for name in noise.column_names},
        }
    )


@cache
def _make_noise(seed: int) -> pa.Table:
    """Return the unsorted columns of a row group; a few are enough, and they take time to make."""
    random = np.random.default_rng(seed)
    words = np.array(_WORDS.split(), dtype=object)
    separators = np.array([" ", " ", " ", ", "], dtype=object)
    names = words[random.integers(0, len(words), _GROUP_ROWS)] + separators[random.integers(0, 4, _GROUP_ROWS)]
    names = names + words[random.integers(0, len(words), _GROUP_ROWS)] + " "
    names = names + random.integers(1, 9999, _GROUP_ROWS).astype(str)
    moments = 1_600_000_000_000_000 + random.integers(0, 10**14, _GROUP_ROWS)
    return pa.table(
        {
            "name": pa.array(names, pa.string()),
            "value": pa.array(np.round(random.uniform(0, 1e5, _GROUP_ROWS), 2), pa.float64()),
            "quantity": pa.array(random.integers(0, 1000, _GROUP_ROWS), pa.int32()),
            "updated": pa.array(moments, pa.timestamp("us", "UTC")),
            "active": pa.array(random.integers(0, 2, _GROUP_ROWS).astype(bool)),
        }
    )


@dataclass(frozen=True)
class Stage:
    """Where the dataset is."""

    environment: dict[str, str]
    store: str
    """The address of the file store, past the proxy."""
    folder: Path

    def reset(self) -> None:
        """Forget the counts."""
        urllib.request.urlopen(urllib.request.Request(f"{self.store}/_bench/reset", method="POST")).close()

    def count_requests(self) -> int:
        """Return the requests since the last reset."""
        with urllib.request.urlopen(f"{self.store}/_bench/stats") as answer:
            return int(json.load(answer)["requests"])


@contextmanager
def set_stage(folder: Path, *, slow: bool = True) -> Iterator[Stage]:
    """Serve the folder's datasets as S3, behind the proxy if it is to be a network."""
    with ExitStack() as stack:
        port = stack.enter_context(run_server("tests.bench.fakes.file_server", str(folder)))
        seen = port
        if slow:
            how = ["--latency-ms", str(LATENCY_MS), "--mb-per-second", str(MB_PER_SECOND)]
            seen = stack.enter_context(run_server("tests.bench.fakes.proxy", "--to", f"127.0.0.1:{port}", *how))
        nothing = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, [ROOT, ROOT / "lambdas"])),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{seen}",
            **_CREDENTIALS,
            **nothing,
        }
        yield Stage(environment, f"http://127.0.0.1:{port}", folder)


def make_bench(case: str) -> Callable[[Path, int, Callable[[str], None]], tuple[Outcome, list[Row]]]:
    """Return the bench of a case; the share of the first byte is a separate row."""

    def run(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
        if not (folder / KEY).is_file():
            say(f"{SERVICE}: making {_ROWS:,} rows")
            write_dataset(folder / KEY, _ROWS)
        with set_stage(folder) as stage:
            outcome = run_case(_make_case(case, stage, say), rounds, folder, say)
        return outcome, []

    return run


def _make_case(case: str, stage: Stage, say: Callable[[str], None]) -> Case:
    name, target = _CASES[case]
    contenders = [
        _make_contender(OURS, "ours", case, stage),
    ]
    if BENCH_PYTHON.exists():
        contenders += [
            _make_contender(REFERENCE, "reference", case, stage, target),
            _make_contender("Polars", "polars", case, stage),
            _make_contender("DuckDB, after a download", "duckdb", case, stage),
        ]
    else:
        say("skipped, not installed: pandas, DuckDB, Polars")
    expected: set[str] = set()

    def finish() -> Counts:
        requests = {"GetObject": stage.count_requests()}
        expected.add(describe(stage.folder / "answer", case))
        if len(expected) > 1:
            raise RunError(f"contenders differ: {', '.join(sorted(expected))}")
        return requests

    def prepare() -> None:
        (stage.folder / "answer").unlink(missing_ok=True)
        stage.reset()

    bill = Bill(1, (stage.folder / KEY).stat().st_size, _MEMORY_MB)
    return Case(SERVICE, name, contenders, prepare, finish, bill)


def _make_contender(name: str, how: str, case: str, stage: Stage, target: float = 1.0) -> Contender:
    result = stage.folder / f"{how}.json"
    python = sys.executable if how == "ours" else str(BENCH_PYTHON)
    command = [
        python,
        "-m",
        "tests.bench.contenders.download_dataset",
        how,
        case,
        str(stage.folder / "answer"),
        str(result),
    ]
    return Contender(name, command, stage.environment, own_time=result, target=target)


def describe(answer: Path, case: str) -> str:
    """Return what a result's rows come to, as DuckDB reads them."""
    read = {"csv": "read_csv", "slice": "read_csv", "json": "read_json", "parquet": "read_parquet"}[case]
    columns = 'count(*), sum(entity), sum(quantity), round(sum("value")), sum(length(name)), count("updated")'
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT {columns} FROM {read}('{answer}')").fetchall()
    return str(rows[0])


def run_long(folder: Path, rounds: int, say: Callable[[str], None]) -> list[Row]:
    """Return the rows for memory, 100 MB against 2 GB, and for the first byte of 1 GB; no proxy."""
    peaks: dict[int, list[float]] = {}
    firsts: list[tuple[float, float]] = []
    for megabytes in (100, 1_000, 2_000):
        home = folder / f"{megabytes} MB"
        home.mkdir(exist_ok=True)
        say(f"{SERVICE}: making {megabytes:,} MB")
        write_dataset(home / KEY, round(megabytes * 1e6 / _MILLION_BYTES * _ROWS))
        with set_stage(home, slow=False) as stage:
            for number in range(rounds):
                target = _make_contender(OURS, "ours", "csv", stage)
                command = [os.devnull if part.endswith("answer") else part for part in target.command]
                measured = measure(command, target.environment, home)
                taken = json.loads((home / "ours.json").read_text())
                say(f"{SERVICE}, {megabytes:,} MB, round {number + 1}: {measured.rss_mb:.0f} MB, {taken}")
                peaks.setdefault(megabytes, []).append(measured.rss_mb)
                if megabytes == 1_000:
                    firsts.append((taken["first_byte"], taken["seconds"]))
        (home / KEY).unlink()
    shares = sorted(whole / first for first, whole in firsts)
    first_byte = Ratio(shares[len(shares) // 2], shares[0], shares[-1])
    found = [
        (f"{LONG_CASE}, 2,000 MB", "100 MB", _MEMORY_TARGET, compare(peaks[2_000], peaks[100]), 2_000),
        (f"{LONG_CASE}, 1,000 MB; whole to first byte", "at most 5 %", _FIRST_BYTE_TARGET, first_byte, 1_000),
    ]
    return [
        make_row(SERVICE, case, against, target, ratio, rss_mb=max(peaks[size]), s3_requests=None)
        for case, against, target, ratio, size in found
    ]
