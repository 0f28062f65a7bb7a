"""Evaluation of filters on the columns of a batch."""

from collections.abc import Sequence
from functools import reduce

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from .parameters import Filter

COMPARISONS = {"ne": pc.not_equal, "gt": pc.greater, "gte": pc.greater_equal, "lt": pc.less, "lte": pc.less_equal}


def make_mask(columns: Sequence[pa.Array], filters: Sequence[Filter]) -> pa.BooleanArray:
    """Return the mask of the rows that pass all filters; `columns` has one column for each filter."""
    masks = [_hold(column, filter_) for column, filter_ in zip(columns, filters, strict=True)]
    # A comparison with null is null, which does not pass.
    return pc.fill_null(reduce(pc.and_kleene, masks), fill_value=False)


def make_plain(column: pa.Array) -> pa.Array:
    """Return a column without dictionary and extension, in a type that every kernel supports."""
    while True:
        type_ = column.type
        if isinstance(type_, pa.BaseExtensionType):
            column = column.storage
        elif pa.types.is_dictionary(type_):
            column = column.dictionary_decode()
        elif pa.types.is_run_end_encoded(type_):
            column = pc.run_end_decode(column)
        elif pa.types.is_string_view(type_):
            return column.cast(pa.large_string())
        elif pa.types.is_float16(type_):
            return column.cast(pa.float32())
        else:
            return column


def _hold(column: pa.Array, filter_: Filter) -> pa.BooleanArray:
    if filter_.operator == "isnull":
        nulls = pc.is_null(column)
        return nulls if filter_.values[0].as_py() else pc.invert(nulls)
    plain = make_plain(column)
    values = [value.cast(plain.type) if value.type != plain.type else value for value in filter_.values]
    if filter_.operator == "eq":
        return _equal_any(plain, values)
    if filter_.operator == "contains":
        return pc.match_substring(plain, filter_.texts[0])
    if filter_.operator == "startswith":
        return pc.starts_with(plain, filter_.texts[0])
    return COMPARISONS[filter_.operator](plain, values[0])


def _equal_any(column: pa.Array, values: Sequence[pa.Scalar]) -> pa.BooleanArray:
    # is_in compares hashes of floats, for which 0.0 and -0.0 differ.
    if len(values) == 1 or pa.types.is_floating(column.type):
        return reduce(pc.or_, [pc.equal(column, value) for value in values])
    return pc.is_in(column, value_set=pa.array(values, column.type))
