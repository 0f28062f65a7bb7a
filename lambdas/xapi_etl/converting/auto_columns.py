"""``COLUMN_MAP=auto``: every top-level key is a column, in addition to the columns with the origin of a row."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from xapi_etl.exceptions import LineError, SourceError
from xapi_etl.reading.lines import Lines
from xapi_etl.schemas import BadLine, ConvertedLines, Source

from .documents import Document, check_statement, parse_document
from .mapped_columns import fit_column, hash_texts
from .mapping import Transform
from .table_types import TableType, write_text

AUTO_LINEAGE: dict[Transform, str] = {
    "line_sha256": "event_hash",
    "source_file": "source_file",
    "source_etag": "source_etag",
    "source_line": "source_line",
}
"""Columns that every row gets; they take precedence over keys of the same name."""
_INT64 = 2**63
_MAX_COLUMNS = 1000


@dataclass(frozen=True, slots=True)
class AutoConverter:
    """Turns lines into rows without a mapping; ``only`` limits the columns, if it is not empty."""

    only: tuple[str, ...] = ()
    types: Mapping[str, TableType] | None = None
    """The table's columns; ``None`` if they are unknown: the values then determine the types."""
    only_statements: bool = False
    """Whether a line that is not a statement is rejected."""
    lineage: frozenset[str] = field(default=frozenset(AUTO_LINEAGE.values()))

    def convert(self, lines: Lines, source: Source) -> ConvertedLines:
        """Return the rows of the lines that are JSON objects, and the other lines with reasons.

        If the table's columns are known, each value is converted exactly into its column's type, or its line is bad;
        keys without a column are counted. Otherwise a column has the common type of its values: Bool, Int64, Float64
        or String. Values of several types, lists and objects become a String that holds JSON.

        Raises:
            SourceError: the lines have more keys than the limit of columns, or a key that is not a valid column name.
        """
        documents: list[Document] = []
        kept: list[memoryview] = []
        numbers: list[int] = []
        bad = list[BadLine]()
        for number, text in enumerate(lines.texts(), start=lines.first_number):
            try:
                document = parse_document(text)
                if self.only_statements:
                    check_statement(document)
                documents.append(document)
                kept.append(text)
                numbers.append(number)
            except LineError as error:
                bad.append(BadLine.cut(number, error, text))
        names, dropped = self._find_names(documents)
        wrong: dict[int, LineError] = {}
        columns = {name: self._build(name, [document.get(name) for document in documents], wrong) for name in names}
        columns |= {
            "event_hash": hash_texts(kept),
            "source_file": pa.repeat(source.file, len(kept)),
            "source_etag": pa.repeat(source.etag, len(kept)),
            "source_line": pa.array(np.array(numbers, np.int64), pa.uint64()),
        }
        wanted = [name for name in columns if self._is_wanted(name)]
        table = pa.table([columns[name] for name in wanted], names=wanted)
        if wrong:
            bad += [BadLine.cut(numbers[index], error, kept[index]) for index, error in wrong.items()]
            bad.sort(key=lambda line: line.number)
            keep = np.ones(len(kept), bool)
            keep[list(wrong)] = False
            table = table.filter(pa.array(keep))
        return ConvertedLines(table, bad, dropped)

    def _is_wanted(self, name: str) -> bool:
        return (not self.only or name in self.only) and (self.types is None or name in self.types)

    def _find_names(self, documents: Sequence[Document]) -> tuple[list[str], Counter[str]]:
        """Return the keys that become columns, and how many lines have each of the others."""
        counts: Counter[str] = Counter()
        for document in documents:
            counts.update(document.keys())
        names = [name for name in counts if name not in self.lineage and self._is_wanted(name)]
        if len(names) > _MAX_COLUMNS or any(not _is_name(name) for name in names):
            raise SourceError(
                f"the lines have {len(names)} keys: more than {_MAX_COLUMNS}, or one that is not a valid column name",
                "too_many_columns",
                is_final=True,
            )
        is_known = self.types is not None
        return names, Counter({name: count for name, count in counts.items() if is_known and name not in names})

    def _build(self, name: str, values: Sequence[Any], wrong: dict[int, LineError]) -> pa.Array:
        if self.types is not None:
            return fit_column(name, values, self.types[name], wrong)
        return _guess(values)


def _is_name(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _guess(values: Sequence[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or -_INT64 <= value < _INT64 for value in values):
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float} and _are_doubles(values):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else _write(value) for value in values], pa.string())


def _are_doubles(values: Iterable[float | None]) -> bool:
    """Return whether all numbers fit into doubles without loss."""
    return all(value is None or (abs(value) <= 2**1023 and float(value) == value) for value in values)


def _write(value: Any) -> str:  # noqa: ANN401  # any JSON value
    if isinstance(value, float) and not math.isfinite(value):
        return "1e999" if value > 0 else "-1e999"
    try:
        return write_text(value)
    except UnicodeEncodeError:  # an unpaired surrogate, which only an escape can produce
        return json.dumps(value)
