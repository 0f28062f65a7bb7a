"""The mapped values of a block of lines, as Arrow columns.

Two parsers give the same columns. scanner.py, the fast path, reads plain lines, many at once. documents.py, the slow
path, reads any line. Lines that the scanner rejects take the slow path, which decides what a line means and whether it
is bad.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from xapi_etl.exceptions import LineError
from xapi_etl.reading.lines import Lines
from xapi_etl.schemas import BadLine

from .documents import check_statement, get_value, parse_document
from .mapping import Leaf, has_schema
from .scanner import ARROW_TYPES, Scanner


@dataclass(slots=True)
class LeafValues:
    """The values of the lines at ``indices``, ascending, in columns named by leaf number; and the bad lines."""

    indices: np.ndarray
    values: pa.Table
    bad: list[BadLine]


@dataclass(slots=True)
class Extractor:
    """Extracts the values of leaves from lines."""

    leaves: Sequence[Leaf]
    names: Mapping[Leaf, str]
    """The column of each leaf, for error messages."""
    only_statements: bool
    """Whether a document has to be a statement; the caller checks this for lines that the scanner reads."""
    is_fast: bool = True
    _scanner: Scanner | None = field(init=False)

    def __post_init__(self) -> None:
        self._scanner = Scanner(self.leaves) if self.is_fast and has_schema(self.leaves) else None

    def extract(self, lines: Lines, texts: Sequence[memoryview]) -> LeafValues:
        """Return the values of every line that is a document with the right types, and the bad lines."""
        if self._scanner is None or not len(lines):
            return self._parse_lines(lines, texts, np.arange(len(lines)))
        values, slow_path = self._scanner.scan(lines)
        if not _is_text(lines.data):
            slow_path |= np.array([not _is_text(bytes(text)) for text in texts])
        if not slow_path.any():
            return LeafValues(np.arange(len(lines)), values, [])
        plain = LeafValues(np.flatnonzero(~slow_path), values.filter(pa.array(~slow_path)), [])
        return _join(plain, self._parse_lines(lines, texts, np.flatnonzero(slow_path)))

    def _parse_lines(self, lines: Lines, texts: Sequence[memoryview], indices: np.ndarray) -> LeafValues:
        rows, kept, bad = [], [], []
        for index in indices.tolist():
            try:
                document = parse_document(texts[index])
                if self.only_statements:
                    check_statement(document)
                rows.append([get_value(document, leaf.path, leaf.kind, self._name(leaf)) for leaf in self.leaves])
                kept.append(index)
            except LineError as error:
                bad.append(BadLine.cut(lines.first_number + index, error, texts[index]))
        arrays = [
            pa.array([row[number] for row in rows], ARROW_TYPES[leaf.kind]) for number, leaf in enumerate(self.leaves)
        ]
        table = pa.table(arrays, names=[str(number) for number in range(len(self.leaves))])
        return LeafValues(np.array(kept, np.int64), table, bad)

    def _name(self, leaf: Leaf) -> str:
        return self.names.get(leaf) or ".".join(leaf.path)


def _is_text(data: bytes) -> bool:
    array = pa.Array.from_buffers(
        pa.large_string(), 1, [None, pa.py_buffer(np.array([0, len(data)], np.int64)), pa.py_buffer(data)]
    )
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _join(one: LeafValues, other: LeafValues) -> LeafValues:
    indices = np.concatenate([one.indices, other.indices])
    order = np.argsort(indices, kind="stable")
    values = pa.concat_tables([one.values, other.values]).take(pa.array(order))
    return LeafValues(indices[order], values, [*one.bad, *other.bad])
