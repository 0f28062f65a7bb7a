"""Converts statements to Parquet with one of the contenders.

Usage: `python -m tests.bench.contenders.convert_statements CONTENDER FILE FOLDER RESULT [--one-core]`.
FOLDER gets Parquet files, RESULT the seconds that it took, from the first byte read to the last one written. Imports
come before, as they do in Lambda's init phase.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

NAMES: Mapping[str, str] = {"source_file": "s3://bench/statements.jsonl", "source_etag": "0123456789abcdef"}
_READ_BYTES = 8 * 1024 * 1024
_MAX_ROWS, _MAX_BYTES = 30_000, 16 * 1024 * 1024

type Work = Callable[[], None]


def prepare_ours(source: Path, folder: Path, _threads: int | None) -> Work:
    """Return the ETL's own way from an object's bytes to what its INSERTs carry, with its default limits."""
    from xapi_etl.clickhouse.insert_batch import make_insert_batches  # noqa: PLC0415
    from xapi_etl.converting.mapped_columns import Converter  # noqa: PLC0415  # each contender pays for its own imports
    from xapi_etl.converting.mapping import SHIPPED, load_mapping  # noqa: PLC0415
    from xapi_etl.converting.row_chunks import convert_object  # noqa: PLC0415
    from xapi_etl.converting.tuning import tune_process  # noqa: PLC0415
    from xapi_etl.reading.decompress import decompress  # noqa: PLC0415
    from xapi_etl.schemas import BadLine, Source  # noqa: PLC0415

    def read() -> Iterator[bytes]:
        with source.open("rb") as file:
            while block := file.read(_READ_BYTES):
                yield block

    def refuse(bad: list[BadLine]) -> None:
        raise ValueError(f"line {bad[0].number}: {bad[0].reason}")

    tune_process()  # as the handler does

    def work() -> None:
        converter = Converter(load_mapping(SHIPPED.read_bytes()), only_statements=True)
        origin = Source(NAMES["source_file"], NAMES["source_etag"])
        chunks = convert_object(decompress(read()), origin, converter, max_rows=_MAX_ROWS, on_bad_lines=refuse)
        number = 0
        for chunk in chunks:
            for part in make_insert_batches(
                [chunk], compression="snappy", max_bytes=_MAX_BYTES, partition_column="timestamp"
            ):
                (folder / f"{number:04}.parquet").write_bytes(part.parquet)
                number += 1

    return work


def prepare_reference(source: Path, folder: Path, _threads: int | None) -> Work:
    """Return the reference algorithm, with the columns that all have."""
    from tests.bench.contenders.baselines.xapi_etl import convert  # noqa: PLC0415

    return lambda: convert(source, folder / "all.parquet", NAMES)


def prepare_whole(source: Path, folder: Path, _threads: int | None) -> Work:
    """Return the reference algorithm without a mapping."""
    from tests.bench.contenders.baselines.xapi_etl import convert_whole  # noqa: PLC0415

    return lambda: convert_whole(source, folder / "all.parquet")


def prepare_duckdb(source: Path, folder: Path, threads: int | None) -> Work:
    """Return DuckDB's query."""
    from tests.bench.contenders.peers.xapi_etl import convert_by_duckdb  # noqa: PLC0415

    importlib.import_module("duckdb")
    return lambda: convert_by_duckdb(source, folder / "all.parquet", NAMES, threads)


def prepare_polars(source: Path, folder: Path, threads: int | None) -> Work:
    """Return Polars' query."""
    from tests.bench.contenders.peers.xapi_etl import convert_by_polars  # noqa: PLC0415

    if threads:
        os.environ["POLARS_MAX_THREADS"] = str(threads)
    importlib.import_module("polars")
    return lambda: convert_by_polars(source, folder / "all.parquet", NAMES, threads)


CONTENDERS: dict[str, Callable[[Path, Path, int | None], Work]] = {
    "ours": prepare_ours,
    "reference": prepare_reference,
    "whole": prepare_whole,
    "duckdb": prepare_duckdb,
    "polars": prepare_polars,
}


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contender", choices=CONTENDERS)
    for name in ("file", "folder", "result"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--one-core", action="store_true")
    chosen = parser.parse_args()
    if chosen.one_core and hasattr(os, "sched_setaffinity"):
        # Before anything counts the processors.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    work = CONTENDERS[chosen.contender](chosen.file, chosen.folder, 1 if chosen.one_core else None)
    started = time.perf_counter()
    work()
    chosen.result.write_text(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
