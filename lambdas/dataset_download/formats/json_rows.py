"""JSON and JSON Lines: a batch's rows as objects, by kernels over whole columns."""

import json
from collections.abc import Callable

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from .assembly import Cells, append, join_rows, prepend
from .scan import scan
from .text import Kind, find_kind, render
from .times import is_utc, render_naive
from .zones import UTC_OFFSET

NULL = "null"
ESCAPES = {0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r"}


def make_row_encoder(schema: pa.Schema, before: str, after: str) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that writes a batch's rows as objects, with a text before and after each."""
    keys = [json.dumps(name, ensure_ascii=False) for name in schema.names]
    literals = [f"{',' if number else before + '{'}{key}:" for number, key in enumerate(keys)]
    literals.append("}" + after)

    def encode(batch: pa.RecordBatch) -> bytes:
        return join_rows([_make_cells(column) for column in batch.columns], literals, NULL)

    return encode


def _make_cells(column: pa.Array) -> Cells:
    kind = find_kind(column.type)
    if kind in {Kind.NUMBER, Kind.NESTED} or column.null_count:
        return Cells(to_json(column))
    if is_utc(column.type):
        return Cells(render_naive(column), '"', UTC_OFFSET + '"')
    return Cells(to_bare(column), '"', '"')


def to_json(column: pa.Array) -> pa.StringArray:
    """Return each value as JSON; nulls stay null."""
    kind = find_kind(column.type)
    if kind is Kind.NUMBER:
        return to_bare(column)
    if kind is not Kind.NESTED:
        return append(prepend('"', to_bare(column)), '"')
    for applies, write in NESTED:
        if applies(column.type):
            return write(column)
    return _write_list(column)


def to_bare(column: pa.Array) -> pa.StringArray:
    """Return each value as JSON without the quotes around it; for all but nested types."""
    if pa.types.is_dictionary(column.type):
        return to_bare(column.dictionary).take(column.indices)
    if pa.types.is_run_end_encoded(column.type):
        return to_bare(pc.run_end_decode(column))
    text = render(column)
    return escape(text) if find_kind(column.type) is Kind.TEXT else text


def escape(text: pa.StringArray) -> pa.StringArray:
    """Return texts with what JSON does not allow in quotes escaped.

    Raises:
        CorruptDatasetError: a text is not UTF-8.
    """
    found = scan(text)
    for character in ("\\", '"'):
        if found.contains(character.encode()):
            text = pc.replace_substring(text, character, "\\" + character)
    for code in found.list_controls():
        text = pc.replace_substring(text, chr(code), ESCAPES.get(code, f"\\u{code:04x}"))
    return text


def _write_struct(column: pa.StructArray) -> pa.StringArray:
    parts: list[pa.Array | str] = []
    for number, child in enumerate(column.flatten()):
        key = json.dumps(column.type.field(number).name, ensure_ascii=False)
        parts += [f"{',' if number else '{'}{key}:", to_json(child)]
    if not parts:
        return _keep_nulls(column, pa.repeat("{}", len(column)))
    texts = pc.binary_join_element_wise(*parts, "}", "", null_handling="replace", null_replacement=NULL)
    return _keep_nulls(column, texts)


def _write_list(column: pa.Array) -> pa.StringArray:
    if pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.large_list(column.type.value_field))
    return _join(column, to_json(column.flatten()), "[", "]")


def _write_map(column: pa.MapArray) -> pa.StringArray:
    """Write an object where keys are plain values, else a list of entries."""
    entries = column.cast(pa.list_(pa.struct([column.type.key_field, column.type.item_field])))
    keys, items = entries.flatten().flatten()
    if find_kind(keys.type) is Kind.NESTED:
        return _join(entries, to_json(entries.flatten()), "[", "]")
    # No key is null, but one that is NaN has no text.
    names, texts = (pc.fill_null(column, NULL) for column in (to_bare(keys), to_json(items)))
    return _join(entries, pc.binary_join_element_wise('"', names, '":', texts, ""), "{", "}")


def _join(column: pa.Array, texts: pa.StringArray, start: str, end: str) -> pa.StringArray:
    """Return the texts of each list's elements as one text."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).cast(pa.int64())
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)])
    lists = pa.LargeListArray.from_arrays(offsets, pc.fill_null(texts, NULL))
    return _keep_nulls(column, pc.binary_join_element_wise(start, pc.binary_join(lists, ","), end, ""))


def _keep_nulls(column: pa.Array, texts: pa.StringArray) -> pa.StringArray:
    if not column.null_count:
        return texts
    return pc.if_else(pc.is_valid(column), texts, pa.scalar(None, pa.string()))


NESTED: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.StringArray]], ...] = (
    (pa.types.is_dictionary, lambda column: to_json(column.dictionary).take(column.indices)),
    (pa.types.is_run_end_encoded, lambda column: to_json(pc.run_end_decode(column))),
    (lambda type_: isinstance(type_, pa.BaseExtensionType), lambda column: to_json(column.storage)),
    (pa.types.is_struct, _write_struct),
    (pa.types.is_map, _write_map),
)


def make_json_lines(schema: pa.Schema) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that writes a batch's rows, one object a line."""
    return make_row_encoder(schema, "", "\n")


def make_json_array(schema: pa.Schema) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that writes a batch's rows as elements of an array, each after SEPARATOR."""
    return make_row_encoder(schema, SEPARATOR, "")


SEPARATOR = ",\n"
