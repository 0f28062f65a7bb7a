"""CSV encoder (RFC 4180): only fields with commas, quotes or line breaks are quoted.

Null is an empty field, and the empty text is a quoted one (""), so that readers can distinguish them. In a table of one
column, a null is "" too, since most readers skip an empty line. Lines end in a line feed.
"""

import re
from collections.abc import Callable, Sequence

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from .json_rows import to_json
from .row_joining import MAX_OFFSET, Cells, Mode, join_rows
from .text import Kind, find_kind, make_integer_cells, render
from .times import make_time_cells

QUOTE = '"'
SPECIAL = (",", QUOTE, "\n", "\r")
FORMULA = r"\A[=+\-@\t\r\n]"
"""Characters that start a formula in a spreadsheet."""
GUARD = "'"


def make_header(names: Sequence[str], *, formula_guard: bool) -> bytes:
    """Return the header line."""
    guarded = [GUARD + name if formula_guard and re.match(FORMULA, name) else name for name in names]
    return (",".join(map(_quote, guarded)) + "\n").encode()


def _quote(name: str) -> str:
    if name and not any(character in name for character in SPECIAL):
        return name
    return QUOTE + name.replace(QUOTE, QUOTE * 2) + QUOTE


def make_csv_rows(
    schema: pa.Schema, *, formula_guard: bool, largest: int = MAX_OFFSET
) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that encodes a batch's rows, which may take at most `largest` bytes."""
    null = QUOTE * 2 if len(schema) == 1 else ""
    literals = ["", *[","] * (len(schema) - 1), "\n"]

    def encode(batch: pa.RecordBatch) -> bytes:
        cells = [_make_cells(column, formula_guard=formula_guard) for column in batch.columns]
        return join_rows(cells, literals, null, largest)

    return encode


def _make_cells(column: pa.Array, *, formula_guard: bool) -> Cells:
    if written := make_time_cells(column, "") or make_integer_cells(column):
        return written
    kind, text = find_kind(column.type), to_text(column)
    if kind is Kind.TEXT and formula_guard:
        text = guard(text)
    return Cells(text, mode=Mode.CSV if kind in {Kind.TEXT, Kind.NESTED} else Mode.AS_IS)


def to_text(column: pa.Array) -> pa.StringArray:
    """Return each value as the text of a field, unquoted; nulls stay null.

    Raises:
        CorruptDatasetError: a text is not UTF-8.
    """
    return to_json(column) if find_kind(column.type) is Kind.NESTED else render(column)


def guard(text: pa.StringArray) -> pa.StringArray:
    """Return texts with an apostrophe before those that a spreadsheet would run as a formula."""
    risky = pc.match_substring_regex(text, FORMULA)
    if not risky.true_count:
        return text
    return pc.if_else(risky, pc.binary_join_element_wise(GUARD, text, ""), text)
