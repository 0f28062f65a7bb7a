"""Counts the rows of a downloaded file with an independent reader: ``FILE``."""

from __future__ import annotations

import csv
import sys
from pathlib import Path


def count_rows(file: Path) -> int:
    """Return the number of rows of a CSV, JSON, JSON Lines or Parquet file, by its suffix.

    Raises:
        ValueError: a JSON array has no end.
        duckdb.Error: it is not JSON.
    """
    if file.suffix == ".parquet":
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415  # slow to import, seldom needed

        return int(pq.ParquetFile(file).metadata.num_rows)
    if file.suffix == ".json":
        return _count_elements(file)
    with file.open(encoding="utf-8", newline="") as opened:
        return sum(1 for _ in csv.reader(opened)) - 1 if file.suffix == ".csv" else sum(1 for _ in opened)


def _count_elements(file: Path) -> int:
    import duckdb  # noqa: PLC0415  # as above

    # A million rows as Python objects take more than a gigabyte.
    ((count,),) = duckdb.execute("SELECT count(*) FROM read_json(?, format = 'array')", [str(file)]).fetchall()
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 16))
        if not opened.read().rstrip().endswith(b"]"):  # DuckDB takes an array that was cut off after a comma
            raise ValueError(f"{file}: the array has no end")
    return int(count)


def main() -> int:
    """Run from the command line."""
    print(count_rows(Path(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
