"""CSV as RFC 4180 quotes it: fields with commas, quotes or line breaks are quoted, others are not.

Null is an empty field, the empty text a quoted one (""), so that they can be told apart. In a table of one column a
null is "" too: an empty line would be no row to most readers. Lines end in a line feed.
"""

import re
from collections.abc import Callable, Sequence

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from .assembly import append, join_cells, prepend
from .json_rows import to_json
from .scan import scan
from .text import Kind, find_kind, render

QUOTE = '"'
SPECIAL = (",", QUOTE, "\n", "\r")
FORMULA = r"\A[=+\-@\t\r\n]"
"""What begins a formula in a spreadsheet."""
GUARD = "'"


def make_header(names: Sequence[str], *, formula_guard: bool) -> bytes:
    """Return the first line."""
    guarded = [GUARD + name if formula_guard and re.match(FORMULA, name) else name for name in names]
    return (",".join(map(_quote, guarded)) + "\n").encode()


def _quote(name: str) -> str:
    if name and not any(character in name for character in SPECIAL):
        return name
    return QUOTE + name.replace(QUOTE, QUOTE * 2) + QUOTE


def make_csv_rows(schema: pa.Schema, *, formula_guard: bool) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that writes a batch's rows."""
    null = QUOTE * 2 if len(schema) == 1 else ""

    def encode(batch: pa.RecordBatch) -> bytes:
        cells = [to_cell(column, formula_guard=formula_guard) for column in batch.columns]
        return join_cells(cells, ",", "\n", null)

    return encode


def to_cell(column: pa.Array, *, formula_guard: bool) -> pa.StringArray:
    """Return each value as a field; nulls stay null.

    Raises:
        CorruptDatasetError: a text is not UTF-8.
    """
    kind = find_kind(column.type)
    if kind is Kind.NESTED:
        return quote(to_json(column))
    if pa.types.is_dictionary(column.type):
        return to_cell(column.dictionary, formula_guard=formula_guard).take(column.indices)
    if pa.types.is_run_end_encoded(column.type):
        return to_cell(pc.run_end_decode(column), formula_guard=formula_guard)
    text = render(column)
    if kind is not Kind.TEXT:
        return text
    return quote(guard(text) if formula_guard else text)


def guard(text: pa.StringArray) -> pa.StringArray:
    """Return texts with an apostrophe before what a spreadsheet would run."""
    risky = pc.match_substring_regex(text, FORMULA)
    if not risky.true_count:
        return text
    return pc.if_else(risky, prepend(GUARD, text), text)


def quote(text: pa.StringArray) -> pa.StringArray:
    """Return texts with quotes around those that need them."""
    found = scan(text)
    masks = [pc.match_substring(text, each) for each in SPECIAL if found.contains(each.encode())]
    if pc.min(pc.binary_length(text)).as_py() == 0:
        masks.append(pc.equal(text, ""))
    if not masks:
        return text
    needed = masks[0]
    for mask in masks[1:]:
        needed = pc.or_(needed, mask)
    if not needed.true_count:
        return text
    chosen = text.filter(needed)
    if found.contains(QUOTE.encode()):
        chosen = pc.replace_substring(chosen, QUOTE, QUOTE * 2)
    return pc.replace_with_mask(text, needed, append(prepend(QUOTE, chosen), QUOTE))
