"""Puts sample datasets, as Parquet, into the bucket of the dataset download."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError

from lib.common.clients import make_s3_client
from lib.common.demo_notes import note
from lib.common.units import describe_bytes

ORGANISATIONS = 300
_ROW_GROUP = 50_000
_FIRST_DAY = date(2020, 1, 1)
_KINDS = ("conservation-area", "listed-building", "tree-preservation-zone", "article-4-direction", "brownfield-land")
_STREETS = ("High Street", "Mill Lane", "Church Road", "Station Road", "The Green", "Bahnhofstraße", "Rue de l'Église")

type Files = Iterator[tuple[str, pa.Table]]


def name_organisations(numbers: np.ndarray) -> pa.Array:
    """Return organisations' names by their numbers."""
    names = pa.array([f"local-authority-{number:03d}" for number in range(ORGANISATIONS)])
    return names.take(pa.array(numbers))


def draw_entities(rows: int, seed: int) -> Files:
    """Yield one file of planning data, sorted by organisation: a slice of it reads few row groups."""
    dice = np.random.default_rng(seed)
    organisations = np.sort(dice.integers(0, ORGANISATIONS, rows))
    days = pa.array(dice.integers(0, 2000, rows).astype("int32")) if rows else pa.array([], pa.int32())
    start = (_FIRST_DAY - date(1970, 1, 1)).days
    table = pa.table(
        {
            "entity": pa.array(np.arange(7_000_000, 7_000_000 + rows)),
            "organisation-entity": name_organisations(organisations),
            "dataset": pa.array(_KINDS).take(pa.array(dice.integers(0, len(_KINDS), rows))),
            "name": pa.array(_STREETS).take(pa.array(dice.integers(0, len(_STREETS), rows))),
            "entry-date": pa.array(days.to_numpy() + start, pa.int32()).cast(pa.date32()),
            "latitude": pa.array(np.round(50 + 5 * dice.random(rows), 6)),
            "longitude": pa.array(np.round(-5 + 6 * dice.random(rows), 6), mask=dice.random(rows) < 0.02),  # noqa: PLR2004
        }
    )
    yield "entities.parquet", table


def draw_applications(rows: int, seed: int) -> Files:
    """Yield one file with what CSV has no types for: decimals, lists, quotes and line breaks in texts, nulls."""
    dice = np.random.default_rng(seed)
    pence = dice.integers(0, 10_000_000, rows).tolist()
    streets = dice.integers(0, len(_STREETS), rows).tolist()
    kinds = dice.integers(0, len(_KINDS), (rows, 2)).tolist()
    notes = ["", "Line one\nline two", 'He said "no", twice', "a, b; c", None]
    table = pa.table(
        {
            "reference": [f"24/{number:05d}/FUL" for number in range(rows)],
            "organisation-entity": name_organisations(dice.integers(0, ORGANISATIONS, rows)),
            "address": [f"{number % 250 + 1} {_STREETS[street]}" for number, street in enumerate(streets)],
            "fee": pa.array([Decimal(each).scaleb(-2) for each in pence], pa.decimal128(12, 2)),
            "designations": pa.array([sorted({_KINDS[one], _KINDS[other]}) for one, other in kinds]),
            "notes": [notes[street % len(notes)] for street in streets],
            "granted": pa.array(dice.random(rows) < 0.8, mask=dice.random(rows) < 0.1),  # noqa: PLR2004
        }
    )
    yield "applications.parquet", table


def draw_readings(rows: int, seed: int) -> Files:
    """Yield a folder of files, one for each year, whose name is a column."""
    dice = np.random.default_rng(seed)
    years = (2023, 2024, 2025)
    for year in years:
        count = rows // len(years)
        moments = np.sort(dice.integers(0, 365 * 86_400, count)) * 1_000_000
        start = int(np.datetime64(f"{year}-01-01", "us").astype("int64"))
        table = pa.table(
            {
                "organisation-entity": name_organisations(np.sort(dice.integers(0, ORGANISATIONS, count))),
                "taken": pa.array(moments + start, pa.timestamp("us", "UTC")),
                "nitrogen-dioxide": pa.array(np.round(dice.gamma(4, 6, count), 1)),
            }
        )
        yield f"readings/year={year}/part-0.parquet", table


DATASETS: dict[str, tuple[Callable[[int, int], Files], int]] = {
    "entities": (draw_entities, 1_000_000),
    "applications": (draw_applications, 20_000),
    "readings": (draw_readings, 300_000),
}
"""The generator of each dataset, and its default number of rows."""


def write_parquet(table: pa.Table) -> bytes:
    """Return a table as a Parquet file, in row groups that a slice can leave out."""
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=_ROW_GROUP, compression="zstd")
    return sink.getvalue()


def put_dataset(bucket: str, prefix: str, name: str, rows: int | None, seed: int) -> tuple[int, int]:
    """Draw and put one dataset; return its rows and its size in bytes."""
    draw, usual = DATASETS[name]
    s3, count, size = make_s3_client(), 0, 0
    for key, table in draw(usual if rows is None else rows, seed):
        body = write_parquet(table)
        s3.put_object(Bucket=bucket, Key=prefix + key, Body=body, ContentType="application/vnd.apache.parquet")
        count, size = count + table.num_rows, size + len(body)
    return count, size


def main() -> int:
    """Run from the command line: ``BUCKET PREFIX``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bucket")
    parser.add_argument("prefix")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    started = time.monotonic()
    try:
        with ThreadPoolExecutor(2) as pool:
            made = {
                name: pool.submit(put_dataset, chosen.bucket, chosen.prefix, name, chosen.rows, chosen.seed)
                for name in DATASETS
            }
            results = {name: future.result() for name, future in made.items()}
    except (ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, (rows, size) in results.items():
        said = f"{rows:,} rows, {describe_bytes(size)}"
        print(f"   {name:<13} {said}")
        note("fact", f"Dataset {name}", said)
    print(f"   to s3://{chosen.bucket}/{chosen.prefix} ({time.monotonic() - started:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
