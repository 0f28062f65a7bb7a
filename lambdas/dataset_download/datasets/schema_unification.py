"""Unification of the schemas of a folder's files: by column name, into types that hold all values exactly.

A type is widened to more bits, more digits, a finer unit, or nullable. Integers become floats only if the float type
represents each of their values. A conversion that would change a value or its text is refused.
"""

from collections.abc import Callable, Sequence

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from dataset_download.parquet.key_value_metadata import select_metadata
from dataset_download.query.columns import is_binary, is_text, unwrap

UNITS = ("s", "ms", "us", "ns")
MAX_DIGITS = {128: 38, 256: 76}
EXACT_BITS = {16: 11, 32: 24, 64: 53}
"""Bits of the integers that a float of a given width represents exactly."""


class DifferentTypesError(Exception):
    """No type holds the values of both types; the arguments name them, innermost first."""


def unite_schemas(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return the columns of all schemas, in order of first appearance.

    Raises:
        DifferentTypesError: the arguments are the column's name and the indices of two schemas that disagree on it.
    """
    united: dict[str, pa.Field] = {}
    first: dict[str, int] = {}
    seen: list[pa.Schema] = []
    for number, schema in enumerate(schemas):
        if any(schema.equals(each) for each in reversed(seen)):
            continue
        for field in schema:
            try:
                known = united.get(field.name)
                united[field.name] = field if known is None else unite_fields(known, field)
            except DifferentTypesError:
                raise DifferentTypesError(field.name, first[field.name], number) from None
            first.setdefault(field.name, number)
        seen.append(schema)
    if len(seen) == 1:
        return schemas[0]
    fields = [
        field if all(name in schema.names for schema in seen) else field.with_nullable(True)  # noqa: FBT003 - Arrow's
        for name, field in united.items()
    ]
    return pa.schema(fields, metadata=select_metadata(schemas[0].metadata, None))


def unite_fields(one: pa.Field, other: pa.Field) -> pa.Field:
    """Return a field that holds the values of both."""
    nullable = one.nullable or other.nullable or pa.types.is_null(one.type) or pa.types.is_null(other.type)
    return one.with_type(unite_types(one.type, other.type)).with_nullable(nullable)


def unite_types(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the narrowest type that holds the values of both.

    Raises:
        DifferentTypesError: no type holds the values of both.
    """
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    one, other = _strip(one), _strip(other)
    if one.equals(other):
        return one
    for applies, unite in UNIONS:
        if applies(one) and applies(other):
            united = unite(one, other)
            if united is not None:
                return united
    raise DifferentTypesError(one, other)


def _strip(type_: pa.DataType) -> pa.DataType:
    """Return the type of the values; extension types such as UUID are kept."""
    if isinstance(type_, pa.BaseExtensionType) and not is_text(unwrap(type_)):
        return type_
    return unwrap(type_)


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def _unite_numbers(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if pa.types.is_integer(one) and pa.types.is_integer(other):
        return _unite_integers(one, other)
    if pa.types.is_floating(one) or pa.types.is_floating(other):
        return _unite_floats(one, other)
    return _unite_decimals(one, other)


def _unite_integers(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if pa.types.is_signed_integer(one) == pa.types.is_signed_integer(other):
        return one if one.bit_width >= other.bit_width else other
    signed, unsigned = (one, other) if pa.types.is_signed_integer(one) else (other, one)
    bits = max(signed.bit_width, 2 * unsigned.bit_width)
    return {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}.get(bits)


def _unite_floats(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    floats = [each for each in (one, other) if pa.types.is_floating(each)]
    widest = max(each.bit_width for each in floats)
    for each in (one, other):
        if pa.types.is_decimal(each):
            return None
        if pa.types.is_integer(each):
            needed = each.bit_width - pa.types.is_signed_integer(each)
            widest = next((bits for bits, exact in EXACT_BITS.items() if bits >= widest and exact >= needed), 0)
    return {16: pa.float16(), 32: pa.float32(), 64: pa.float64()}.get(widest)


def _unite_decimals(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    scales, wholes = zip(*map(_measure_decimal, (one, other)), strict=True)
    digits = max(scales) + max(wholes)
    if digits > MAX_DIGITS[256]:
        return None
    return pa.decimal128(digits, max(scales)) if digits <= MAX_DIGITS[128] else pa.decimal256(digits, max(scales))


def _measure_decimal(type_: pa.DataType) -> tuple[int, int]:
    """Return the digits after and before the decimal point."""
    if pa.types.is_decimal(type_):
        return type_.scale, type_.precision - type_.scale
    return 0, len(str(1 << type_.bit_width))


def _unite_texts(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    return pa.large_string() if pa.types.is_large_string(one) or pa.types.is_large_string(other) else pa.string()


def _unite_bytes(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    return pa.large_binary() if pa.types.is_large_binary(one) or pa.types.is_large_binary(other) else pa.binary()


def _unite_times(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    unit = _finer(one, other)
    return pa.time32(unit) if unit in {"s", "ms"} else pa.time64(unit)


def _unite_timestamps(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if (one.tz is None) != (other.tz is None):
        return None
    return pa.timestamp(_finer(one, other), one.tz if one.tz == other.tz else "UTC")


def _finer(one: pa.DataType, other: pa.DataType) -> str:
    return UNITS[max(UNITS.index(one.unit), UNITS.index(other.unit))]


def _is_list(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def _unite_lists(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    field = unite_fields(one.value_field, other.value_field)
    return pa.large_list(field) if pa.types.is_large_list(one) or pa.types.is_large_list(other) else pa.list_(field)


def _unite_structs(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    theirs = {field.name: field for field in other}
    fields = [
        unite_fields(field, theirs[field.name]) if field.name in theirs else field.with_nullable(True)  # noqa: FBT003
        for field in one
    ]
    known = {field.name for field in one}
    fields += [field.with_nullable(True) for field in other if field.name not in known]  # noqa: FBT003
    return pa.struct(fields)


def _unite_maps(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    return pa.map_(unite_fields(one.key_field, other.key_field), unite_fields(one.item_field, other.item_field))


UNIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType, pa.DataType], pa.DataType | None]], ...] = (
    (_is_number, _unite_numbers),
    (is_text, _unite_texts),
    (is_binary, _unite_bytes),
    (pa.types.is_date, lambda *_: pa.date32()),
    (pa.types.is_time, _unite_times),
    (pa.types.is_timestamp, _unite_timestamps),
    (pa.types.is_duration, lambda one, other: pa.duration(_finer(one, other))),
    (_is_list, _unite_lists),
    (pa.types.is_struct, _unite_structs),
    (pa.types.is_map, _unite_maps),
)


def conform(column: pa.Array, type_: pa.DataType) -> pa.Array:
    """Return a column cast to a type that unites its own type with others.

    Raises:
        pyarrow.ArrowInvalid: a value is outside the type's range, such as a far date in nanoseconds.
    """
    if column.type.equals(type_):
        return column
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if pa.types.is_dictionary(column.type) or pa.types.is_run_end_encoded(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return make_nulls(len(column), type_)
    for applies, convert in CONVERSIONS:
        if applies(type_):
            return convert(column, type_)
    return column.cast(type_)


def make_null_column(size: int, field: pa.Field) -> pa.Array:
    """Return the values of a column that a file does not store: nulls, or empty structures."""
    if pa.types.is_struct(field.type) and not field.type.num_fields and not field.nullable:
        return pa.array([{}] * size, field.type)
    return make_nulls(size, field.type)


def make_nulls(size: int, type_: pa.DataType) -> pa.Array:
    """Return a column of nulls of any type."""
    if isinstance(type_, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(type_, make_nulls(size, type_.storage_type))
    return pa.nulls(size, type_)


def _conform_struct(column: pa.StructArray, type_: pa.StructType) -> pa.StructArray:
    children = []
    for field in type_:
        index = column.type.get_field_index(field.name)
        # The child without its parent's nulls, which are applied below.
        child = make_null_column(len(column), field) if index < 0 else conform(column.field(index), field.type)
        children.append(child)
    if not children:
        return (
            column if not column.type.num_fields else make_null_column(len(column), pa.field("", type_, nullable=False))
        )
    return pa.StructArray.from_arrays(children, fields=list(type_), mask=_find_nulls(column))


def _find_nulls(column: pa.Array) -> pa.BooleanArray | None:
    return pc.is_null(column) if column.null_count else None


def _conform_list(column: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_field))
    first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()
    values = conform(column.values.slice(first, last - first), type_.value_type)
    offsets = pc.subtract(column.offsets, column.offsets[0])
    kind, width = (pa.LargeListArray, pa.int64()) if pa.types.is_large_list(type_) else (pa.ListArray, pa.int32())
    return kind.from_arrays(offsets.cast(width), values, type=type_, mask=_find_nulls(column))


def _conform_map(column: pa.MapArray, type_: pa.MapType) -> pa.Array:
    first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()
    keys = conform(column.keys.slice(first, last - first), type_.key_type)
    items = conform(column.items.slice(first, last - first), type_.item_type)
    offsets = pc.subtract(column.offsets, column.offsets[0])
    return pa.MapArray.from_arrays(offsets, keys, items, type=type_, mask=_find_nulls(column))


CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array, pa.DataType], pa.Array]], ...] = (
    (
        lambda type_: isinstance(type_, pa.BaseExtensionType),
        lambda column, type_: pa.ExtensionArray.from_storage(type_, conform(column, type_.storage_type)),
    ),
    (pa.types.is_struct, _conform_struct),
    (pa.types.is_map, _conform_map),
    (lambda type_: pa.types.is_list(type_) or pa.types.is_large_list(type_), _conform_list),
)
