"""The ETL's reference algorithm: one line after another, a dictionary for each, then Arrow, then Parquet.

Its description names `json.loads`, Arrow tables and one Parquet blob in memory, but no columns. So there are two
readings, measured each by itself:

- `convert` gives the rows that the table of this ETL needs: mapped columns, times and durations parsed, the raw line
  and its SHA-256. It does the same work as every other contender.
- `convert_whole` leaves all that out: whole statements as they are, nested columns, types as Arrow infers them. It does
  less, and its rows would fit into no table whose columns are fixed.

Both keep all rows until the end and write one file, with the defaults of Parquet and snappy.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from xapi_etl.converting.mapping import SHIPPED

_SECONDS = {"H": 3600, "M": 60, "S": 1}

type Row = dict[str, Any]


def convert(source: Path, target: Path, names: Mapping[str, str]) -> None:
    """Turn JSON lines into Parquet with the columns of the shipped mapping; ``names`` are its lineage."""
    columns = [(column, [split_path(path) for path in column["paths"]]) for column in json.loads(SHIPPED.read_bytes())]
    with source.open("rb") as file:
        rows = [make_row(line.rstrip(b"\n"), number, columns, names) for number, line in enumerate(file, start=1)]
    pq.write_table(pa.Table.from_pylist(rows), target, compression="snappy")


def convert_whole(source: Path, target: Path) -> None:
    """Turn JSON lines into Parquet with the columns that they happen to have."""
    with source.open("rb") as file:
        rows = [json.loads(line) for line in file]
    pq.write_table(pa.Table.from_pylist(rows), target, compression="snappy")


def make_row(line: bytes, number: int, columns: Iterable[tuple[Row, list[list[str]]]], names: Mapping[str, str]) -> Row:
    """Return a line's row."""
    statement = json.loads(line)
    lineage = {"line": line.decode(), "line_sha256": hashlib.sha256(line).hexdigest(), "source_line": number, **names}
    row: Row = {}
    for column, paths in columns:
        transform = column.get("transform")
        value: Any = lineage[transform] if transform in lineage else find_value(statement, paths)
        if transform == "origin":
            value = next((name for name in ("timestamp", "stored") if statement.get(name) is not None), "arrival")
        if value is None:
            value = column.get("default")
        if value is not None and column["type"].startswith("DateTime"):
            value = datetime.fromisoformat(value)
        elif value is not None and transform == "lowercase":
            value = value.lower()
        elif value is not None and transform == "duration":
            value = parse_duration(value)
        row[column["name"]] = float(value) if value is not None and column["type"] == "Float64" else value
    return row


def find_value(statement: Row, paths: Sequence[Sequence[str]]) -> Any:
    """Return the value at the first path that has one."""
    for path in paths:
        value = walk(statement, path)
        if value is not None:
            return value
    return None


def walk(value: Any, path: Sequence[str]) -> Any:
    """Return what a path leads to, through objects and lists."""
    for place, key in enumerate(path):
        if isinstance(value, list):
            if key == "*":
                return [found for one in value if (found := walk(one, path[place + 1 :])) is not None]
            if key.startswith("?"):
                names, _, wanted = key[1:].partition("=")
                value = next((one for one in value if walk(one, names.split(".")) == wanted), None)
            else:
                value = value[int(key)] if int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def split_path(path: str) -> list[str]:
    """Return the keys of a dotted path or a JSON pointer."""
    if path.startswith("/"):
        return [part.replace("~1", "/") for part in path[1:].split("/")]
    return path.split(".")


def parse_duration(text: str) -> float:
    """Return the seconds of a duration of hours, minutes and seconds."""
    total, digits = 0.0, ""
    for letter in text.removeprefix("PT"):
        if letter in _SECONDS:
            total += float(digits) * _SECONDS[letter]
            digits = ""
        else:
            digits += letter
    return total
