"""``COLUMN_MAP=auto``: every top-level key is a column, beside those that say where a row comes from."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from .convert import hash_texts
from .documents import Document, parse_document
from .exceptions import LineError
from .lines import Lines
from .mapping import Transform
from .schemas import BadLine, Converted, Source

AUTO_LINEAGE: dict[Transform, str] = {
    "line_sha256": "event_hash",
    "source_file": "source_file",
    "source_etag": "source_etag",
    "source_line": "source_line",
}
"""Columns that every row gets; a key of the same name gives way."""
_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class AutoConverter:
    """Turns lines into rows without a mapping; ``only`` are the columns wanted, if not all."""

    only: tuple[str, ...] = ()

    def convert(self, lines: Lines, source: Source) -> Converted:
        """Return the rows of the lines that are JSON objects, and what is wrong with the others.

        A column's type is what all of its values are: Bool, Int64, Float64, String. Where they differ, or are lists or
        objects, it is String and holds JSON.
        """
        documents: list[Document] = []
        kept, numbers, bad = [], [], list[BadLine]()
        for number, text in enumerate(lines.texts(), start=lines.first_number):
            try:
                documents.append(parse_document(text))
                kept.append(text)
                numbers.append(number)
            except LineError as error:
                bad.append(BadLine(number, str(error), bytes(text)))
        columns = {name: _build([document.get(name) for document in documents]) for name in _find_names(documents)}
        columns |= {
            "event_hash": hash_texts(kept),
            "source_file": pa.repeat(source.file, len(kept)),
            "source_etag": pa.repeat(source.etag, len(kept)),
            "source_line": pa.array(np.array(numbers, np.int64), pa.uint64()),
        }
        names = [name for name in columns if not self.only or name in self.only]
        return Converted(pa.table([columns[name] for name in names], names=names), bad)


def _find_names(documents: Sequence[Document]) -> list[str]:
    lineage = set(AUTO_LINEAGE.values())
    return list(dict.fromkeys(name for document in documents for name in document if name not in lineage))


def _build(values: Sequence[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or -_INT64 <= value < _INT64 for value in values):
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else _to_float(value) for value in values], pa.float64())
    return pa.array([None if value is None else _write(value) for value in values], pa.string())


def _write(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _to_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
