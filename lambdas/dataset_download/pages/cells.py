"""Table cells: values as text for a page, shortened."""

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from dataset_download.exceptions import CorruptDatasetError
from dataset_download.formats.csv_rows import to_text
from dataset_download.query.columns import is_binary, is_text, unwrap
from dataset_download.query.conditions import make_plain

MAX_CHARACTERS = 200
_NESTED_BYTES = 64 * 1024
"""The largest nested value that is shown; of a larger one, only its size is."""


def show_cells(column: pa.Array) -> list[str | None]:
    """Return each value as text, truncated after ``MAX_CHARACTERS``; None: null.

    Raises:
        CorruptDatasetError: a text is not UTF-8, or a value has no text.
    """
    if pa.types.is_nested(unwrap(column.type)):
        return [_show_nested(column.slice(row, 1)) for row in range(len(column))]
    return [_cut(text) for text in to_text(_begin(column)).to_pylist()]


def _begin(column: pa.Array) -> pa.Array:
    """Return the column with values truncated to one character more than a page shows."""
    kind = unwrap(column.type)
    if is_text(kind):
        try:
            return pc.utf8_slice_codeunits(make_plain(column), 0, MAX_CHARACTERS + 1)
        except pa.ArrowInvalid as error:
            raise CorruptDatasetError(f"a text column holds bytes that are not UTF-8: {error}") from error
    if is_binary(kind) and not pa.types.is_fixed_size_binary(kind) and not isinstance(column.type, pa.UuidType):
        return pc.binary_slice(make_plain(column), 0, MAX_CHARACTERS)
    return column


def _show_nested(value: pa.Array) -> str | None:
    if value.nbytes <= _NESTED_BYTES:
        (text,) = to_text(value).to_pylist()
        return _cut(text)
    return f"… {value.nbytes / 1024 / 1024:,.1f} MiB" if value.null_count == 0 else None


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + "…"
