"""Rows by the column mapping: the values of the lines as Arrow columns."""

from __future__ import annotations

import hashlib
from binascii import hexlify
from collections.abc import Mapping as PyMapping
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from xapi_etl.exceptions import LineError
from xapi_etl.reading.lines import Lines
from xapi_etl.schemas import BadLine, ConvertedLines, Source

from .documents import check_statement, describe, get_value, parse_document, parse_value
from .extract import Extractor, LeafValues
from .mapping import ARRIVAL, Column, Leaf, Mapping, split_path
from .scanner import ARROW_TYPES
from .table_types import TableType
from .transforms import MILLISECONDS, MaskedValues, parse_durations, parse_times, to_unsigned

VERB_LEAF = Leaf(("verb", "id"), "text")
_AGENT = (("account", "name"), ("mbox",), ("mbox_sha1sum",), ("openid",))
ACTOR_LEAVES = tuple(Leaf(("actor", *path), "text") for path in _AGENT)
OBJECT_LEAVES = (Leaf(("object", "id"), "text"), *(Leaf(("object", *path), "text") for path in _AGENT))
STATEMENT_LEAVES = (VERB_LEAF, *ACTOR_LEAVES, *OBJECT_LEAVES)
"""Values by which a line is recognised as a statement."""

_HASH_LENGTH = 64
_PREFIX, _INLINE = 4, 12
"""Bytes of a string view's prefix, and of a text that is stored inline.

Source: Arrow's columnar format, "Variable-size Binary View Layout".
"""


@dataclass(slots=True)
class Converter:
    """Turns lines into rows by a mapping."""

    mapping: Mapping
    is_fast: bool = True
    """Whether to try the fast path; both paths give the same rows."""
    only_statements: bool = False
    """Whether a line that is not a statement is rejected."""
    types: PyMapping[str, TableType] = field(default_factory=dict)
    """The table's columns whose types differ from the mapping's."""
    _extractor: Extractor = field(init=False)
    _leaves: tuple[Leaf, ...] = field(init=False)

    def __post_init__(self) -> None:
        needed = STATEMENT_LEAVES if self.only_statements else ()
        self._leaves = tuple(dict.fromkeys((*self.mapping.leaves, *needed)))
        self._extractor = Extractor(self._leaves, self.mapping.column_of, self.only_statements, self.is_fast)

    def convert(self, lines: Lines, source: Source) -> ConvertedLines:
        """Return the rows of the accepted lines, and the bad lines with reasons."""
        texts = lines.texts()
        extracted = self._extractor.extract(lines, texts)
        found = {leaf: _to_single_chunk(extracted.values.column(number)) for number, leaf in enumerate(self._leaves)}
        wrong = self._find_no_statements(extracted, found, texts) if self.only_statements else {}
        columns = self._compute(found, wrong, source)
        bad = extracted.bad
        if wrong:
            extracted, columns, more = _leave_out(extracted, columns, wrong, lines, texts)
            bad = sorted([*bad, *more], key=lambda line: line.number)
        if len(extracted.indices) < len(lines):
            lines = lines.select(extracted.indices)
            texts = lines.texts()
        numbers = extracted.indices + lines.first_number
        arrays = [
            columns[column.name] if column.name in columns else _build_lineage(column, lines, texts, numbers, source)
            for column in self.mapping.columns
        ]
        return ConvertedLines(pa.table(arrays, names=[column.name for column in self.mapping.columns]), bad)

    def _find_no_statements(
        self, extracted: LeafValues, found: PyMapping[Leaf, pa.Array], texts: Sequence[memoryview]
    ) -> dict[int, LineError]:
        """Return the errors of rows that are not statements, by row position.

        For most lines the extracted values decide this; the others are parsed as documents.
        """
        is_sure = pc.fill_null(pc.not_equal(found[VERB_LEAF], ""), False)  # noqa: FBT003
        for leaves in (ACTOR_LEAVES, OBJECT_LEAVES):
            is_sure = pc.and_(is_sure, _is_any_valid([found[leaf] for leaf in leaves]))
        wrong = {}
        for position in np.flatnonzero(~np.asarray(is_sure)).tolist():
            try:
                check_statement(parse_document(texts[int(extracted.indices[position])]))
            except LineError as error:
                wrong[position] = error
        return wrong

    def _compute(
        self, found: PyMapping[Leaf, pa.Array], wrong: dict[int, LineError], source: Source
    ) -> dict[str, pa.Array]:
        """Return the mapped columns; add the errors of rows, by position, to ``wrong``."""
        columns: dict[str, pa.Array] = {}
        for column in self.mapping.columns:
            if not column.paths:
                continue
            values, mask = _transform(column, _coalesce(self._read_paths(column, found, wrong)))
            if column.has_arrival:
                values = pc.fill_null(values, pa.scalar(source.arrived_ms, MILLISECONDS))
            columns[column.name] = values
            if mask is not None:
                _add_type_errors(column, mask, wrong)
        self._complete(columns, found)
        for name, table_type in self.types.items():
            if name in columns:
                columns[name] = fit_column(name, columns[name].to_pylist(), table_type, wrong)
        return columns

    def _complete(self, columns: dict[str, pa.Array], found: PyMapping[Leaf, pa.Array]) -> None:
        """Add the columns and defaults that depend on other columns."""
        for column in self.mapping.columns:
            if column.origin_of is not None:
                columns[column.name] = self._find_origin(column.origin_of, found)
            if column.default is not None:
                columns[column.name] = _fill_default(column, columns)

    def _read_paths(
        self, column: Column, found: PyMapping[Leaf, pa.Array], wrong: dict[int, LineError]
    ) -> list[pa.Array]:
        """Return the values of each of a column's paths."""
        read = []
        for path in column.paths:
            rest, values = split_path(path)[1], found[column.leaf(path)]
            read.append(_walk_lists(column, rest, values, wrong) if rest else values)
        return read

    def _find_origin(self, name: str, found: PyMapping[Leaf, pa.Array]) -> pa.Array:
        """Return the path that gave the column its value in each row."""
        column = next(one for one in self.mapping.columns if one.name == name)
        length = len(found[column.leaf(column.paths[0])])
        origin = pa.repeat(ARRIVAL, length) if column.has_arrival else pa.nulls(length, pa.string())
        for path in reversed(column.paths):
            values = found[column.leaf(path)]
            if values.null_count < length:
                origin = pc.if_else(values.is_valid(), ".".join(path), origin)
        return origin


def _add_type_errors(column: Column, mask: np.ndarray, wrong: dict[int, LineError]) -> None:
    what = "duration" if column.transform == "duration" else column.type
    for position in np.flatnonzero(mask).tolist():
        wrong.setdefault(position, LineError(f"wrong_type:{column.name}", f"{column.name} is not a valid {what}"))


def fit_column(name: str, values: Sequence[Any], table_type: TableType, wrong: dict[int, LineError]) -> pa.Array:
    """Return values as the table's column accepts them; add the errors of values that do not fit to ``wrong``."""
    fitted, misfits = table_type.fit(values)
    for position in misfits:
        reason = f"{name} is {describe(values[position])} that is not exactly a {table_type.name}"
        wrong.setdefault(position, LineError(f"wrong_type:{name}", reason))
    if table_type.needs_value and fitted.null_count:
        # ClickHouse would store a date that is not in the data.
        for position in np.flatnonzero(np.asarray(fitted.is_null())).tolist():
            wrong.setdefault(position, LineError(f"missing:{name}", f"{name} is missing"))
    return fitted


def _walk_lists(column: Column, rest: Sequence[str], values: pa.Array, wrong: dict[int, LineError]) -> pa.Array:
    """Return the values that paths lead to within lists; parse each distinct list once, because lists repeat."""
    seen: dict[str, Any] = {}
    found: list[Any] = []
    for position, text in enumerate(values.to_pylist()):
        if text is not None and text not in seen:
            try:
                seen[text] = get_value(parse_value(text.encode()), rest, column.kind, column.name)
            except LineError as error:
                seen[text] = error
        value = seen[text] if text is not None else None
        if isinstance(value, LineError):
            wrong.setdefault(position, value)
            value = None
        found.append(value)
    return pa.array(found, pa.list_(pa.string()) if column.kind == "texts" else ARROW_TYPES[column.kind])


def _fill_default(column: Column, columns: PyMapping[str, pa.Array]) -> pa.Array:
    values = columns[column.name]
    if not values.null_count:
        return values
    default = pa.scalar(column.default, pa.string())
    if column.default_if is None:
        return pc.fill_null(values, default)
    is_due = pc.and_(values.is_null(), columns[column.default_if].is_valid())
    return pc.if_else(is_due, default, values)


def _is_any_valid(columns: Sequence[pa.Array]) -> pa.Array:
    valid = columns[0].is_valid()
    for column in columns[1:]:
        valid = pc.or_(valid, column.is_valid())
    return valid


def view_lines(lines: Lines) -> pa.Array:
    """Return an Arrow column of the lines, which must be UTF-8; their bytes are not copied."""
    array = np.frombuffer(lines.data, np.uint8)
    views = np.zeros((len(lines), 4), np.int32)  # length, prefix, number of the buffer, offset in it
    views[:, 0], views[:, 3] = lines.ends - lines.starts, lines.starts
    prefixes = np.minimum(lines.starts[:, None] + np.arange(_PREFIX), len(array) - 1)
    as_bytes = views.view(np.uint8)
    as_bytes[:, 4:8] = array[prefixes]
    for row in np.flatnonzero(views[:, 0] <= _INLINE).tolist():
        text = lines.data[lines.starts[row] : lines.ends[row]]
        as_bytes[row, 4:] = np.frombuffer(text.ljust(_INLINE, b"\0"), np.uint8)
    return pa.Array.from_buffers(pa.string_view(), len(lines), [None, pa.py_buffer(views), pa.py_buffer(lines.data)])


def hash_texts(texts: Sequence[memoryview | bytes]) -> pa.Array:
    """Return an Arrow column of the texts' SHA-256, in hexadecimal."""
    sha256 = hashlib.sha256
    digits = hexlify(b"".join([sha256(text).digest() for text in texts]))
    offsets = np.arange(len(texts) + 1, dtype=np.int32) * _HASH_LENGTH
    return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(offsets), pa.py_buffer(digits)])


def _build_lineage(
    column: Column, lines: Lines, texts: Sequence[memoryview], numbers: np.ndarray, source: Source
) -> pa.Array:
    match column.transform:
        case "line":
            return view_lines(lines)
        case "line_sha256":
            return hash_texts(texts)
        case "source_line":
            return pa.array(numbers, pa.uint64())
        case "source_file":
            return pa.repeat(source.file, len(texts))
        case _:
            return pa.repeat(source.etag, len(texts))


def _to_single_chunk(column: pa.ChunkedArray) -> pa.Array:
    # combine_chunks copies even a single chunk.
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _coalesce(found: Sequence[pa.Array]) -> pa.Array:
    """Return the first value of each row that is not null."""
    if not found[0].null_count:
        return found[0]
    some = [column for column in found if column.null_count < len(column)]
    return pc.coalesce(*some) if some[1:] else next(iter(some), found[0])


def _transform(column: Column, values: pa.Array) -> MaskedValues:
    if column.transform == "duration":
        return parse_durations(values)
    if column.transform == "lowercase":
        return pc.ascii_lower(values), None
    match column.type:
        case "DateTime64(3)":
            return parse_times(values)
        case "UInt64":
            return to_unsigned(values)
        case _:
            return values, None


def _leave_out(
    extracted: LeafValues,
    columns: dict[str, pa.Array],
    wrong: PyMapping[int, LineError],
    lines: Lines,
    texts: Sequence[memoryview],
) -> tuple[LeafValues, dict[str, pa.Array], list[BadLine]]:
    bad = []
    for position in sorted(wrong):
        index = int(extracted.indices[position])
        bad.append(BadLine.cut(lines.first_number + index, wrong[position], texts[index]))
    keep = np.ones(len(extracted.indices), bool)
    keep[list(wrong)] = False
    mask = pa.array(keep)
    kept = LeafValues(extracted.indices[keep], extracted.values.filter(mask), extracted.bad)
    return kept, {name: values.filter(mask) for name, values in columns.items()}, bad
