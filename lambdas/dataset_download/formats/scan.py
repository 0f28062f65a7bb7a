"""Which characters occur in a text column at all: most columns need no quoting, and this finds out cheaply."""

from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from dataset_download.exceptions import CorruptDatasetError

FIRST_PRINTABLE = 0x20
FIRST_NON_ASCII = 0x80


@dataclass(frozen=True)
class Scan:
    """All bytes of a column one after the other, and their range."""

    data: bytes
    least: int
    greatest: int

    def contains(self, character: bytes) -> bool:
        """Whether any value has this ASCII character."""
        return character in self.data

    def list_controls(self) -> list[int]:
        """Return the control characters that occur."""
        if self.least >= FIRST_PRINTABLE:
            return []
        return [code for code in range(FIRST_PRINTABLE) if bytes((code,)) in self.data]


def read_data(column: pa.StringArray) -> pa.Buffer:
    """Return all bytes of a string column, in order (a null's are none)."""
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return pa.py_buffer(b"")
    positions = memoryview(offsets).cast("i")
    first, last = positions[column.offset], positions[column.offset + len(column)]
    return data.slice(first, last - first)


def scan(column: pa.StringArray) -> Scan:
    """Look through a column.

    Raises:
        CorruptDatasetError: it is not UTF-8.
    """
    buffer = read_data(column)
    if not buffer.size:
        return Scan(b"", FIRST_PRINTABLE, FIRST_PRINTABLE)
    codes = pc.min_max(pa.Array.from_buffers(pa.uint8(), buffer.size, [None, buffer]))
    data = buffer.to_pybytes()
    found = Scan(data, codes["min"].as_py(), codes["max"].as_py())
    if found.greatest >= FIRST_NON_ASCII:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise CorruptDatasetError(f"a text column holds bytes that are not UTF-8: {error}") from error
    return found
