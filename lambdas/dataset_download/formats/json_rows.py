"""JSON and JSON Lines: a batch's rows as objects, by kernels over whole columns."""

import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from .scan import read_data, scan
from .text import Kind, find_kind, render

NULL = "null"
ESCAPES = {0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r"}


def make_row_encoder(schema: pa.Schema, before: str, after: str) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that writes a batch's rows as objects, with a text before and after each."""
    keys = [json.dumps(name, ensure_ascii=False) for name in schema.names]
    quoted = [find_kind(field.type) in {Kind.PLAIN, Kind.TEXT} for field in schema]

    def encode(batch: pa.RecordBatch) -> bytes:
        parts: list[pa.Array | pa.Scalar] = []
        literal = before + "{"
        for key, column, has_quotes in zip(keys, batch.columns, quoted, strict=True):
            bare = has_quotes and not column.null_count
            quote = '"' if bare else ""
            parts += [pa.scalar(f"{literal}{key}:{quote}"), to_bare(column) if bare else to_json(column)]
            literal = f"{quote},"
        literal = literal.removesuffix(",") + "}" + after
        rows = pc.binary_join_element_wise(
            *parts, pa.scalar(literal), pa.scalar(""), null_handling="replace", null_replacement=NULL
        )
        return read_data(rows).to_pybytes()

    return encode


def to_json(column: pa.Array) -> pa.StringArray:
    """Return each value as JSON; nulls stay null."""
    kind = find_kind(column.type)
    if kind is Kind.NUMBER:
        return to_bare(column)
    if kind is not Kind.NESTED:
        return pc.binary_join_element_wise('"', to_bare(column), '"', "")
    if pa.types.is_dictionary(column.type):
        return to_json(column.dictionary).take(column.indices)
    if isinstance(column.type, pa.BaseExtensionType):
        return to_json(column.storage)
    if pa.types.is_struct(column.type):
        return _write_struct(column)
    if pa.types.is_map(column.type):
        return _write_map(column)
    if pa.types.is_run_end_encoded(column.type):
        return to_json(pc.run_end_decode(column))
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
    return _join(entries, pc.binary_join_element_wise('"', to_bare(keys), '":', pc.fill_null(to_json(items), NULL), ""), "{", "}")


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


def make_json_lines(schema: pa.Schema) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that writes a batch's rows, one object a line."""
    return make_row_encoder(schema, "", "\n")


def make_json_array(schema: pa.Schema) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that writes a batch's rows as elements of an array, each after SEPARATOR."""
    return make_row_encoder(schema, SEPARATOR, "")


SEPARATOR = ",\n"


