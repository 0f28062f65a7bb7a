"""Mapping of Arrow columns to Parquet leaf columns, and predicates on types."""

from collections.abc import Sequence

import pyarrow as pa  # type: ignore[import-untyped]


def count_leaves(type_: pa.DataType) -> int:
    """Return the number of leaf columns that store a column of this type."""
    if isinstance(type_, pa.BaseExtensionType):
        return count_leaves(type_.storage_type)
    if pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
        return count_leaves(type_.value_type)
    if pa.types.is_nested(type_):
        return sum(count_leaves(type_.field(number).type) for number in range(type_.num_fields))
    return 1


def has_empty_structure(type_: pa.DataType) -> bool:
    """Return whether this type contains a structure without fields."""
    if isinstance(type_, pa.BaseExtensionType):
        return has_empty_structure(type_.storage_type)
    if not pa.types.is_nested(type_):
        return False
    children = [type_.field(number).type for number in range(type_.num_fields)]
    return not children or any(map(has_empty_structure, children))


def locate_leaves(schema: pa.Schema, columns: Sequence[int]) -> list[int]:
    """Return the indices of the leaf columns that store these Arrow columns."""
    starts = [0]
    for field in schema:
        starts.append(starts[-1] + count_leaves(field.type))
    return [leaf for column in columns for leaf in range(starts[column], starts[column + 1])]


def unwrap(type_: pa.DataType) -> pa.DataType:
    """Return the type of the values, without dictionary and extension."""
    while True:
        if isinstance(type_, pa.BaseExtensionType):
            type_ = type_.storage_type
        elif pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
            type_ = type_.value_type
        else:
            return type_


def is_text(type_: pa.DataType) -> bool:
    """Return whether values are text."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def is_binary(type_: pa.DataType) -> bool:
    """Return whether values are bytes."""
    return bool(
        pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or pa.types.is_binary_view(type_)
        or pa.types.is_fixed_size_binary(type_)
    )


def is_uuid(type_: pa.DataType) -> bool:
    """Return whether values are UUIDs."""
    return isinstance(type_, pa.UuidType)
