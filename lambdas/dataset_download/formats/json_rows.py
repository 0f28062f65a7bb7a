"""JSON and JSON Lines encoders: rows as objects, made by kernels over whole columns."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from .row_joining import MAX_OFFSET, Cells, Mode, join_rows, join_texts
from .text import Kind, find_kind, make_integer_cells, render
from .times import make_time_cells

NULL = "null"


def make_row_encoder(
    schema: pa.Schema, before: str, after: str, largest: int = MAX_OFFSET
) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that encodes a batch's rows as objects, with a text before and after each.

    The rows may take at most `largest` bytes.
    """
    literals = _make_literals(schema.names, before, after)

    def encode(batch: pa.RecordBatch) -> bytes:
        return join_rows([_make_cells(column) for column in batch.columns], literals, NULL, largest)

    return encode


def _make_literals(names: Sequence[str], before: str, after: str) -> list[str]:
    """Return the constant texts around the values of an object with these names."""
    keys = [json.dumps(name, ensure_ascii=False) for name in names]
    return [*(f"{',' if number else before + '{'}{key}:" for number, key in enumerate(keys)), "}" + after]


def _make_cells(column: pa.Array) -> Cells:
    kind = find_kind(column.type)
    if kind is Kind.NESTED:
        return Cells(to_json(column))
    if written := make_time_cells(column, '"') or make_integer_cells(column):
        return written
    return _quote(column) if kind is not Kind.NUMBER else Cells(render(column))


def _quote(column: pa.Array) -> Cells:
    """Return values in quotes; not for nested types."""
    mode = Mode.JSON if find_kind(column.type) is Kind.TEXT else Mode.AS_IS
    return Cells(render(column), '"', '"', mode)


def to_json(column: pa.Array) -> pa.StringArray:
    """Return each value as JSON; nulls stay null.

    Raises:
        CorruptDatasetError: a text is not UTF-8.
    """
    if find_kind(column.type) is not Kind.NESTED:
        cells = _make_cells(column)
        return _keep_nulls(cells.texts, join_texts([cells], ["", ""], ""))
    for applies, write in NESTED:
        if applies(column.type):
            return write(column)
    return _write_list(column)


def _write_struct(column: pa.StructArray) -> pa.StringArray:
    names = [column.type.field(number).name for number in range(column.type.num_fields)]
    if not names:
        return _keep_nulls(column, pa.repeat("{}", len(column)))
    cells = [_make_cells(child) for child in column.flatten()]
    return _keep_nulls(column, join_texts(cells, _make_literals(names, "", ""), NULL))


def _write_list(column: pa.Array) -> pa.StringArray:
    if pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.large_list(column.type.value_field))
    return _join(column, to_json(column.flatten()), "[", "]")


def _write_map(column: pa.MapArray) -> pa.StringArray:
    """Return an object if the keys are plain values, else a list of entries."""
    entries = column.cast(pa.list_(pa.struct([column.type.key_field, column.type.item_field])))
    keys, items = entries.flatten().flatten()
    if find_kind(keys.type) is Kind.NESTED:
        return _join(entries, to_json(entries.flatten()), "[", "]")
    names = _quote(keys)
    # Keys are never null, but a NaN key has no text.
    names = replace(names, texts=pc.fill_null(names.texts, NULL))
    return _join(entries, join_texts([names, _make_cells(items)], ["", ":", ""], NULL), "{", "}")


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


def make_json_lines(schema: pa.Schema, largest: int = MAX_OFFSET) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that encodes a batch's rows, one object per line."""
    return make_row_encoder(schema, "", "\n", largest)


def make_json_array(schema: pa.Schema, largest: int = MAX_OFFSET) -> Callable[[pa.RecordBatch], bytes]:
    """Return a function that encodes a batch's rows as array elements, each after SEPARATOR."""
    return make_row_encoder(schema, SEPARATOR, "", largest)


SEPARATOR = ",\n"
