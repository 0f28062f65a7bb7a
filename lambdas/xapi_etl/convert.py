"""Lines become rows."""

from __future__ import annotations

import hashlib
from binascii import hexlify
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from .extract import Extracted, Extractor
from .lines import Lines
from .mapping import Column, Mapping
from .schemas import BadLine, Converted, Source
from .transforms import Checked, parse_durations, parse_times, to_unsigned

_HASH_LENGTH = 64
_PREFIX, _INLINE = 4, 12
"""Of a text's view. Source: Arrow's columnar format, "Variable-size Binary View Layout"."""


@dataclass(slots=True)
class Converter:
    """Turns lines into rows by a mapping."""

    mapping: Mapping
    is_fast: bool = True
    """Whether to try the fast way; both give the same rows."""
    _extractor: Extractor = field(init=False)

    def __post_init__(self) -> None:
        self._extractor = Extractor(self.mapping, self.is_fast)

    def convert(self, lines: Lines, source: Source) -> Converted:
        """Return the rows of the lines that make one, and what is wrong with the others."""
        texts = lines.texts()
        extracted = self._extractor.extract(lines, texts)
        columns, wrong = self._compute(extracted)
        bad = extracted.bad
        if wrong:
            extracted, columns, more = _leave_out(extracted, columns, wrong, lines, texts)
            bad = sorted([*bad, *more], key=lambda line: line.number)
        if len(extracted.places) < len(lines):
            lines = lines.pick(extracted.places)
            texts = lines.texts()
        numbers = extracted.places + lines.first_number
        arrays = [
            columns[column.name] if column.places else _build_lineage(column, lines, texts, numbers, source)
            for column in self.mapping.columns
        ]
        return Converted(pa.table(arrays, names=[column.name for column in self.mapping.columns]), bad)

    def _compute(self, extracted: Extracted) -> tuple[dict[str, pa.Array], dict[int, str]]:
        """Return the mapped columns, and why rows, by their position, are wrong."""
        number_of = {leaf: str(number) for number, leaf in enumerate(self.mapping.leaves)}
        columns, wrong = {}, dict[int, str]()
        for column in self.mapping.columns:
            if not column.places:
                continue
            found = [_unite_chunks(extracted.values.column(number_of[leaf])) for leaf in column.leaves]
            values, mask = _transform(column, _take_first(found))
            columns[column.name] = values
            if mask is not None:
                what = "duration" if column.transform == "duration" else column.type
                for position in np.flatnonzero(mask).tolist():
                    wrong.setdefault(position, f"{column.name} is no {what}")
        return columns, wrong


def view_lines(lines: Lines) -> pa.Array:
    """Return an Arrow column of the lines, which have to be UTF-8; their bytes are not copied."""
    array = np.frombuffer(lines.data, np.uint8)
    views = np.zeros((len(lines), 4), np.int32)  # length, beginning, number of the buffer, place in it
    views[:, 0], views[:, 3] = lines.ends - lines.starts, lines.starts
    places = np.minimum(lines.starts[:, None] + np.arange(_PREFIX), len(array) - 1)
    as_bytes = views.view(np.uint8)
    as_bytes[:, 4:8] = array[places]
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


def _unite_chunks(column: pa.ChunkedArray) -> pa.Array:
    # Of a single chunk, too, combine_chunks makes a copy.
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _take_first(found: Sequence[pa.Array]) -> pa.Array:
    """Return the first value of each row that is not null."""
    if not found[0].null_count:
        return found[0]
    some = [column for column in found if column.null_count < len(column)]
    return pc.coalesce(*some) if some[1:] else next(iter(some), found[0])


def _transform(column: Column, values: pa.Array) -> Checked:
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
    extracted: Extracted,
    columns: dict[str, pa.Array],
    wrong: dict[int, str],
    lines: Lines,
    texts: Sequence[memoryview],
) -> tuple[Extracted, dict[str, pa.Array], list[BadLine]]:
    bad = []
    for position in sorted(wrong):
        place = int(extracted.places[position])
        bad.append(BadLine(lines.first_number + place, wrong[position], bytes(texts[place])))
    keep = np.ones(len(extracted.places), bool)
    keep[list(wrong)] = False
    mask = pa.array(keep)
    kept = Extracted(extracted.places[keep], extracted.values.filter(mask), extracted.bad)
    return kept, {name: values.filter(mask) for name, values in columns.items()}, bad
