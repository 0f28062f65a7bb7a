"""The mapped values of a block of lines, as Arrow columns.

Two ways lead to the same columns. The fast one has Arrow's JSON parser read a whole block, just the paths that are
mapped. It refuses a block for one line that it cannot take, and takes some that are no JSON. So the lines that it might
take wrongly are kept from it, a block that it refuses is halved until little is left, and what is left goes line by
line: that way decides what a line means and what is wrong with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.json as pj  # type: ignore[import-untyped]

from .documents import DEPTH_LIMIT, parse_document, take_value
from .exceptions import LineError
from .lines import Lines, find_bytes
from .mapping import Kind, Mapping, Place
from .schemas import BadLine

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "any": pa.string(),
}
_FEW = 32
"""So many lines are read one by one, rather than halved again."""
_LONG = 2 * DEPTH_LIMIT
"""A shorter line cannot be nested too deeply: each level opens and closes."""
_CAPITALS, _SECONDS = b"NI", [ord("a"), ord("n")]
_CONSTANTS = re.compile(rb"(?:NaN|Inf(?:inity)?)[\s,\]}]")


@dataclass(slots=True)
class Extracted:
    """Values of the lines at ``places``, ascending, by the number of their leaf; and what is wrong with the others."""

    places: np.ndarray
    values: pa.Table
    bad: list[BadLine]


@dataclass(slots=True)
class Extractor:
    """Takes the mapped values out of lines."""

    mapping: Mapping
    is_fast: bool = True
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        self.schema = _build_schema(self.mapping) if self.mapping.has_schema else None

    def extract(self, lines: Lines, texts: Sequence[memoryview]) -> Extracted:
        """Return the values of every line that is a document with the right types."""
        if self.schema is None or not self.is_fast or not len(lines):
            return self._read_slowly(lines, texts, np.arange(len(lines)))
        odd = _find_odd(lines, texts)
        plain = np.flatnonzero(~odd)
        parts = []
        if len(plain):
            parts = self._read_fast(lines, texts, plain)
        if len(plain) < len(lines):
            parts.append(self._read_slowly(lines, texts, np.flatnonzero(odd)))
        return _join(parts)

    def _read_fast(self, lines: Lines, texts: Sequence[memoryview], places: np.ndarray) -> list[Extracted]:
        if len(places) <= _FEW:
            return [self._read_slowly(lines, texts, places)]
        table = self._parse(lines, texts, places)
        if table is not None:
            return [Extracted(places, table, [])]
        middle = len(places) // 2
        return [
            *self._read_fast(lines, texts, places[:middle]),
            *self._read_fast(lines, texts, places[middle:]),
        ]

    def _parse(self, lines: Lines, texts: Sequence[memoryview], places: np.ndarray) -> pa.Table | None:
        first, last = int(places[0]), int(places[-1])
        if last - first + 1 == len(places):
            start, end = int(lines.starts[first]), int(lines.ends[last])
            source = pa.py_buffer(lines.data).slice(start, end - start)
        else:
            source = pa.py_buffer(b"\n".join([texts[place] for place in places.tolist()]))
        try:
            table = pj.read_json(
                pa.BufferReader(source),
                # One block: documents are then told from each other by the parser and not by line ends.
                read_options=pj.ReadOptions(use_threads=False, block_size=source.size + 1),
                parse_options=pj.ParseOptions(explicit_schema=self.schema, unexpected_field_behavior="ignore"),
            )
        except (pa.ArrowInvalid, UnicodeDecodeError):
            return None
        if len(table) != len(places):
            # Each line begins and ends with a brace, so none continues a document: one of them holds two.
            return None
        picked = self._pick(table)
        return picked if all(map(_is_finite, picked.columns)) else None

    def _pick(self, table: pa.Table) -> pa.Table:
        (batch,) = table.combine_chunks().to_batches() if table.column(0).num_chunks > 1 else table.to_batches()
        # The parser leaves the children of a null null, so that they need not be joined with it.
        columns = [
            reduce(pa.StructArray.field, leaf.place[1:], batch.column(leaf.place[0])) for leaf in self.mapping.leaves
        ]
        return pa.table(columns, names=[str(number) for number in range(len(columns))])

    def _read_slowly(self, lines: Lines, texts: Sequence[memoryview], places: np.ndarray) -> Extracted:
        leaves = self.mapping.leaves
        rows, kept, bad = [], [], []
        for place in places.tolist():
            try:
                document = parse_document(texts[place])
                rows.append([take_value(document, leaf) for leaf in leaves])
                kept.append(place)
            except LineError as error:
                bad.append(BadLine(lines.first_number + place, str(error), bytes(texts[place])))
        arrays = [pa.array([row[number] for row in rows], ARROW_TYPES[leaf.kind]) for number, leaf in enumerate(leaves)]
        table = pa.table(arrays, names=[str(number) for number in range(len(leaves))])
        return Extracted(np.array(kept, np.int64), table, bad)


def _is_finite(column: pa.ChunkedArray) -> bool:
    """Tell whether no number was too large for a double, which the fast parser makes infinite."""
    return not pa.types.is_floating(column.type) or math.isfinite(pc.sum(column, min_count=0).as_py())


def _find_odd(lines: Lines, texts: Sequence[memoryview]) -> np.ndarray:
    """Return which lines the fast parser might take for something else than they are."""
    array = np.frombuffer(lines.data, np.uint8)
    odd: np.ndarray = (array[lines.starts] != ord("{")) | (array[lines.ends - 1] != ord("}"))
    # It takes NUL for the end; other control characters are wrong wherever they are, but for white space.
    _mark(odd, lines, lines.controls)
    # It takes NaN and Infinity for numbers.
    _mark(odd, lines, _find_constants(lines.data, array))
    # It does not mind how deep a document is, nor whether text outside of the mapped paths is UTF-8.
    for place in np.flatnonzero(lines.ends - lines.starts >= _LONG).tolist():
        text = bytes(texts[place])
        odd[place] |= text.count(b"{") + text.count(b"[") > DEPTH_LIMIT
    if not _is_text(lines.data):
        odd |= np.array([not _is_text(bytes(text)) for text in texts])
    return odd


def _find_constants(data: bytes, array: np.ndarray) -> np.ndarray:
    """Return where NaN and Infinity stand, outside of texts or in them."""
    places = find_bytes(array, lambda some: (some == _CAPITALS[0]) | (some == _CAPITALS[1]))
    places = places[np.isin(array[np.minimum(places + 1, len(array) - 1)], _SECONDS)]
    return np.array([place for place in places.tolist() if _CONSTANTS.match(data, place)], np.int64)


def _mark(odd: np.ndarray, lines: Lines, offsets: np.ndarray) -> None:
    """Mark the lines that hold these bytes; bytes of blank lines mark another, which does no harm."""
    if len(offsets):
        odd[np.maximum(np.searchsorted(lines.starts, offsets, side="right") - 1, 0)] = True


def _is_text(data: bytes) -> bool:
    array = pa.Array.from_buffers(
        pa.large_string(), 1, [None, pa.py_buffer(np.array([0, len(data)], np.int64)), pa.py_buffer(data)]
    )
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _join(parts: Sequence[Extracted]) -> Extracted:
    if len(parts) == 1:
        return parts[0]
    places = np.concatenate([part.places for part in parts])
    values = pa.concat_tables([part.values for part in parts])
    bad = sorted((line for part in parts for line in part.bad), key=lambda line: line.number)
    order = np.argsort(places, kind="stable")
    if np.array_equal(order, np.arange(len(order))):
        return Extracted(places, values, bad)
    return Extracted(places[order], values.take(pa.array(order)), bad)


type _Tree = dict[str, Any]


def _build_schema(mapping: Mapping) -> pa.Schema:
    """Return the nested schema of the mapped paths."""
    tree: _Tree = {}
    for leaf in mapping.leaves:
        _branch(tree, leaf.place[:-1])[leaf.place[-1]] = ARROW_TYPES[leaf.kind]
    return pa.schema([pa.field(name, _to_type(node)) for name, node in tree.items()])


def _branch(tree: _Tree, place: Place) -> _Tree:
    return reduce(lambda branch, name: branch.setdefault(name, {}), place, tree)


def _to_type(node: Any) -> pa.DataType:  # noqa: ANN401  # a type or a subtree
    if not isinstance(node, dict):
        return node
    return pa.struct([pa.field(name, _to_type(child)) for name, child in node.items()])
