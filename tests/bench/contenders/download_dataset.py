"""Runs one download in its own process: `python -m tests.bench.contenders.download_dataset HOW CASE TARGET OUT`.

HOW is ours, reference, polars or duckdb; CASE csv, json, parquet (half of the rows) or slice (CSV of one
organisation). OUT gets the seconds after imports, and for ours those until the first byte.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUCKET, KEY, NAME = "bench-datasets", "data.parquet", "data"
ORGANISATION, ORGANISATIONS = "local-authority:017", 300
QUANTITY = 500
_ARGUMENTS = 5
_RUNNERS = {
    "ours": (
        "tests.bench.contenders.download_dataset",
        "run_ours",
        ("dataset_download.reading.result_stream", "dataset_download.query.parameters", "dataset_download.service"),
    ),
    "reference": ("tests.bench.contenders.baselines.dataset_download", "run_reference", ("pandas",)),
    "polars": ("tests.bench.contenders.peers.dataset_download", "run_polars", ("polars",)),
    "duckdb": ("tests.bench.contenders.peers.dataset_download", "run_duckdb", ("duckdb",)),
}
_QUERIES = {
    "csv": ("csv", []),
    "json": ("json", []),
    "parquet": ("parquet", [("quantity__gte", str(QUANTITY))]),
    "slice": ("csv", [("organisation-entity", ORGANISATION)]),
}


@dataclass
class Job:
    """The parameters of a download."""

    case: str
    target: str
    store: Any = None
    """For ours: a warm function has it."""
    first_byte: float | None = None
    """When it came, by time.perf_counter."""


def run_ours(job: Job) -> None:
    """Write the job's result as the service answers it."""
    from dataset_download.datasets.dataset import open_dataset  # noqa: PLC0415
    from dataset_download.formats.format import Format  # noqa: PLC0415
    from dataset_download.planning.plan import Reading, make_plan  # noqa: PLC0415
    from dataset_download.query.parameters import parse_query  # noqa: PLC0415
    from dataset_download.reading.result_stream import start_download  # noqa: PLC0415

    extension, pairs = _QUERIES[job.case]
    dataset = open_dataset(job.store, NAME)
    query = parse_query(pairs, dataset.comparison_schema, organisation_column="organisation-entity")
    download = start_download(make_plan(dataset, query, Reading()), Format(extension))
    with Path(job.target).open("wb", buffering=0) as target:
        for piece in download:
            job.first_byte = job.first_byte or time.perf_counter()
            target.write(piece)


def main() -> int:
    """Run; returns the exit status."""
    if len(sys.argv) != _ARGUMENTS:
        print("usage: python -m tests.bench.contenders.download_dataset HOW CASE TARGET OUT", file=sys.stderr)
        return 2
    how, case, target, out = sys.argv[1:]
    module, name, needed = _RUNNERS[how]
    for each in needed:
        importlib.import_module(each)
    run: Callable[[Any], None] = getattr(importlib.import_module(module), name)
    job = Job(case, target)
    if how == "ours":
        environment = {**os.environ, "DATASET_BUCKET": BUCKET, "EXPORTS": "false"}
        job.store = importlib.import_module("dataset_download.service").make_service(environment).store
    started = time.perf_counter()
    run(job)
    seconds = time.perf_counter() - started
    first = None if job.first_byte is None else job.first_byte - started
    Path(out).write_text(json.dumps({"seconds": seconds, "first_byte": first}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
