"""`make bench`: runs the cases, prints the table, writes results/latest.json and its picture.

`python -m tests.bench [SERVICE] [--rounds N] [--long]`; `python -m tests.bench report` rewrites the tables.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.cases import (
    cold_starts,
    csv_streamer,
    data_aggregator,
    dataset_download,
    dataset_load,
    package_sizes,
    xapi_etl,
    zip_jobs,
)
from tests.bench.harness.comparison import Outcome, Row
from tests.bench.harness.processes import ROOT
from tests.bench.report.tables import RESULTS, is_met, read_rows, write_report

PLOT = RESULTS.with_suffix(".svg")
DETAILS = ROOT / ".local" / "bench" / "runs.json"
PLOTTER = ROOT / ".local" / "bench-venv" / "bin" / "python"
_MIN_ROUNDS = 5
_MEMORY_ROUNDS = 3
_FILE_WIDTH = 160
_QUIET_LOAD = 0.5

type Bench = Callable[[Path, int, Callable[[str], None]], tuple[Outcome, list[Row]]]
BENCHES: dict[str, Sequence[Bench]] = {
    "csv-streamer": (csv_streamer.run_large, csv_streamer.run_small),
    "data-aggregator": (data_aggregator.run_compression, data_aggregator.run_small_objects),
    "dataset-download": tuple(map(dataset_download.make_bench, ("csv", "json", "slice", "parquet"))),
    "xapi-etl": (xapi_etl.run_all_cores, xapi_etl.run_one_core),
    "zip-jobs": (zip_jobs.run_packing, zip_jobs.run_small, zip_jobs.run_mixed, zip_jobs.run_large),
    "cold-starts": (),
}
MINUTES = {
    "csv-streamer": 4.0,
    "data-aggregator": 3.5,
    "dataset-download": 7.5,
    "xapi-etl": 4.0,
    "zip-jobs": 11.0,
    "cold-starts": 2.0,
}
"""About how long five rounds take on two quiet processors."""


def main() -> int:
    """Run; return the exit status. A missed target is shown and is not an error: no machine is a reference."""
    parser = argparse.ArgumentParser(prog="make bench", description="Compare the services with others.")
    parser.add_argument(
        "service", nargs="?", default="all", choices=["all", "report", *BENCHES], help="whose cases to run"
    )
    parser.add_argument("--rounds", type=int, default=_MIN_ROUNDS, help="runs of each contender, at least 5 to count")
    parser.add_argument("--long", action="store_true", help="also the cases of minutes: memory of a 2 GB stream")
    chosen = parser.parse_args()
    if chosen.service == "report":
        finish(read_rows())
        return 0
    services = list(BENCHES) if chosen.service == "all" else [chosen.service]
    say = Console(stderr=True, highlight=False).print
    warn_if_busy(say)
    announce(services, chosen.rounds, say)
    outcomes: list[Outcome] = []
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        for service in services:
            started = time.monotonic()
            rows += stamp(run_service(service, Path(folder), chosen, outcomes, say))
            say(f"{service}: done in {(time.monotonic() - started) / 60:.1f} minutes")
    write_details(outcomes)
    show_runs(outcomes)
    show(rows)
    if chosen.rounds < _MIN_ROUNDS:
        print(f"fewer than {_MIN_ROUNDS} rounds: {RESULTS.name} is left as it is")
    else:
        merged = merge(read_rows(), rows, long=chosen.long)
        write(merged)
        finish(merged)
    return 0


def run_service(
    service: str, folder: Path, chosen: argparse.Namespace, outcomes: list[Outcome], say: Callable[[str], None]
) -> list[Row]:
    """Run a service's cases; returns the rows, and adds to the outcomes."""
    rows: list[Row] = []
    for bench in BENCHES[service]:
        outcome, further = bench(folder, chosen.rounds, say)
        outcomes.append(outcome)
        rows += [*outcome.make_rows(), *further]
    if service == "cold-starts":
        sizes = package_sizes.build(say)
        rows += cold_starts.run_cold_starts(package_sizes.unpack(sizes, folder), folder, chosen.rounds, say)
        rows += package_sizes.make_size_rows(sizes)
    if service == "dataset-download":
        rows += dataset_load.run_load(say)
    if chosen.long and service == "csv-streamer":
        rows += csv_streamer.run_memory(folder, _MEMORY_ROUNDS, say)
    if chosen.long and service == "dataset-download":
        rows += dataset_download.run_long(folder, _MEMORY_ROUNDS, say)
    return rows


def announce(services: Sequence[str], rounds: int, say: Callable[[str], None]) -> None:
    """Print the estimated duration."""
    minutes = {service: MINUTES[service] * rounds / _MIN_ROUNDS for service in services}
    shares = ", ".join(f"{service} {each:.1f}" for service, each in minutes.items())
    say(f"about {sum(minutes.values()):.0f} minutes on two quiet processors ({shares})")


def stamp(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the day and the commit of this run: a later run of one service leaves the others'."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    run = {"date": datetime.now(UTC).date().isoformat(), "commit": done.stdout.strip() or None}
    return [row | run for row in rows]


def warn_if_busy(say: Callable[[str], None]) -> None:
    """Warn if other load on the machine will distort the figures."""
    load = os.getloadavg()[0]
    if load > _QUIET_LOAD * (os.cpu_count() or 1):
        say(f"this machine is busy (load {load:.1f}): ratios will be lower and spread wider than they need be")


def merge(old: Sequence[Row], new: Sequence[Row], *, long: bool) -> list[Row]:
    """Return the new rows, and the old ones of other services (and, unless it was `long`, of the long cases)."""
    services = {row["service"] for row in new}
    measured = {(row["service"], row["case"], row["against"]) for row in new}
    kept = [
        row
        for row in old
        if row["service"] not in services
        or (
            not long
            and str(row["case"]).startswith(csv_streamer.LONG_CASE)
            and (row["service"], row["case"], row["against"]) not in measured
        )
    ]
    return sorted([*kept, *new], key=lambda row: str(row["service"]))


def write(rows: Sequence[Row]) -> None:
    """Write the results."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n")
    print(f"written: {RESULTS.relative_to(ROOT)}")


def finish(rows: Sequence[Row]) -> None:
    """Write the tables and the picture of results."""
    for path in write_report(rows):
        print(f"written: {path.relative_to(ROOT)}")
    if PLOTTER.exists():
        subprocess.run([PLOTTER, "-m", "tests.bench.report.plot", str(RESULTS), str(PLOT)], cwd=ROOT, check=True)
        print(f"written: {PLOT.relative_to(ROOT)}")


def write_details(outcomes: Sequence[Outcome]) -> None:
    """Write every single run to a file for a closer analysis."""
    DETAILS.parent.mkdir(parents=True, exist_ok=True)
    found = [
        {
            "service": outcome.case.service,
            "case": outcome.case.name,
            "runs": {name: [asdict(run) for run in runs] for name, runs in outcome.runs.items()},
        }
        for outcome in outcomes
    ]
    DETAILS.write_text(json.dumps(found, indent=1) + "\n")


def show_runs(outcomes: Sequence[Outcome]) -> None:
    """Print each contender's time, memory and requests."""
    table = Table("case", "contender", "seconds", "CPU s", "peak MB", "S3 requests", title="Medians of this run")
    for outcome in outcomes:
        for name, runs in outcome.runs.items():
            middle = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
            peak = max(run.rss_mb for run in runs)
            figures = [f"{middle.seconds:.2f}", f"{middle.cpu_seconds:.2f}", f"{peak:.0f}", str(middle.s3_requests)]
            table.add_row(outcome.case.name, name, *figures)
    _print(table)


def show(rows: Sequence[Row]) -> None:
    """Print the rows; a ratio above 1 is better."""
    table = Table("service", "case", "against", "target", "ratio", "low … high", "peak MB", "S3 requests")
    for row in rows:
        mark = "" if is_met(row) else " (missed)"
        figures = [str(row["target"]), f"{row['ratio']}{mark}", f"{row['low']} … {row['high']}"]
        rest = ["-" if row[key] is None else str(row[key]) for key in ("rss_mb", "s3_requests")]
        table.add_row(str(row["service"]), str(row["case"]), str(row["against"]), *figures, *rest)
    _print(table)


def _print(table: Table) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
