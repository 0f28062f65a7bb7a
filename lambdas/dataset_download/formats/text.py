"""Text of values, by column, for CSV and JSON.

Arrow's kernels convert whole columns without the GIL. Types with another text in Arrow (time zones, durations, bytes,
UUIDs) are composed from supported ones. Quotes and escapes are added when the texts are joined.
"""

import base64
import uuid
from collections.abc import Callable
from enum import Enum

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from dataset_download.exceptions import CorruptDatasetError
from dataset_download.query.columns import is_binary, is_text, is_uuid, unwrap

from .row_joining import Cells, Mode
from .times import render_date, render_duration, render_time, render_timestamp


class Kind(Enum):
    """The JSON form of a type's text."""

    NUMBER = "number"
    """Unquoted; also true and false."""
    PLAIN = "plain"
    """Quoted, without any escapes."""
    TEXT = "text"
    """Quoted and escaped."""
    NESTED = "nested"
    """Already JSON."""


def find_kind(type_: pa.DataType) -> Kind:
    """Return the JSON form of a type."""
    if is_uuid(type_):
        return Kind.PLAIN
    plain = unwrap(type_)
    if pa.types.is_nested(plain):
        return Kind.NESTED
    if is_text(plain):
        return Kind.TEXT
    if pa.types.is_integer(plain) or pa.types.is_floating(plain) or pa.types.is_decimal(plain):
        return Kind.NUMBER
    return Kind.NUMBER if pa.types.is_boolean(plain) or pa.types.is_null(plain) else Kind.PLAIN


def make_integer_cells(column: pa.Array) -> Cells | None:
    """Return integers for the C library: all types except unsigned 64 bits."""
    if not pa.types.is_integer(column.type) or pa.types.is_uint64(column.type):
        return None
    return Cells(column.cast(pa.int64()), mode=Mode.INTEGER)


def render(column: pa.Array) -> pa.StringArray:
    """Return a column's values as text, unquoted and unescaped; nulls, NaN and infinities become null.

    Nested types are not supported.

    Raises:
        CorruptDatasetError: a text is not UTF-8, or the type is not a Parquet type.
    """
    type_ = column.type
    if is_uuid(type_):
        return _render_each(column.storage, lambda value: str(uuid.UUID(bytes=value)))
    if isinstance(type_, pa.BaseExtensionType):
        return render(column.storage)
    for applies, writer in WRITERS:
        if applies(type_):
            return writer(column)
    raise CorruptDatasetError(f"values of the type {type_} cannot be written as text")


def _render_text(column: pa.Array) -> pa.StringArray:
    text = column.cast(pa.string())
    try:
        text.validate(full=True)
    except pa.ArrowInvalid as error:
        raise CorruptDatasetError(f"a text column holds bytes that are not UTF-8: {error}") from error
    return text


def _render_each(column: pa.Array, write: Callable[[bytes], str]) -> pa.StringArray:
    return pa.array([None if value is None else write(value) for value in column.to_pylist()], pa.string())


def _render_boolean(column: pa.Array) -> pa.StringArray:
    return pc.if_else(column, "true", "false")


def _render_float(column: pa.Array) -> pa.StringArray:
    finite = pc.is_finite(column)
    if finite.false_count:
        column = pc.if_else(finite, column, pa.scalar(None, column.type))
    text = column.cast(pa.string())
    known = column.cast(pa.float32()) if pa.types.is_float16(column.type) else column
    if not pc.equal(known, pa.scalar(0, known.type)).true_count:
        return text
    # "-0" would be an integer, and integers have no negative zero.
    return pc.if_else(pc.equal(text, "-0"), "-0.0", text)


def _render_decimal(column: pa.Array) -> pa.StringArray:
    text = column.cast(pa.string())
    if not pc.match_substring(text, "E").true_count:
        return text
    # Arrow writes very small numbers with an exponent, which not every decimal parser accepts.
    return pa.array([None if value is None else f"{value:f}" for value in column.to_pylist()], pa.string())


def _render_null(column: pa.Array) -> pa.StringArray:
    return pa.nulls(len(column), pa.string())


WRITERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.StringArray]], ...] = (
    (pa.types.is_dictionary, lambda column: render(column.dictionary).take(column.indices)),
    (pa.types.is_run_end_encoded, lambda column: render(pc.run_end_decode(column))),
    (is_text, _render_text),
    (is_binary, lambda column: _render_each(column, lambda value: base64.b64encode(value).decode())),
    (pa.types.is_boolean, _render_boolean),
    (pa.types.is_integer, lambda column: column.cast(pa.string())),
    (pa.types.is_floating, _render_float),
    (pa.types.is_decimal, _render_decimal),
    (pa.types.is_date, render_date),
    (pa.types.is_time, render_time),
    (pa.types.is_timestamp, render_timestamp),
    (pa.types.is_duration, render_duration),
    (pa.types.is_null, _render_null),
)
