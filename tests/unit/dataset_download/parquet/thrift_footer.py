"""Parquet footers as editable trees of numbers, bytes and lists.

A structure is a dict of field numbers, a list is a list. Sources: parquet.thrift and thrift-compact-protocol.md.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12

type Tree = dict[int, "Value"]


@dataclass
class Value:
    """A value with its type in the protocol; `items` is that of a list's items."""

    kind: int
    value: Any
    items: int = 0


def flag(value: bool) -> Value:
    return Value(TRUE if value else FALSE, value)


def number(value: int) -> Value:
    return Value(I32, value)


def binary(value: bytes) -> Value:
    return Value(BINARY, value)


def tree(**fields: Value) -> Value:
    """Return a structure: its fields are f1, f2..."""
    return Value(STRUCT, {int(name[1:]): value for name, value in fields.items()})


def change(file: bytes, edit: Callable[[Tree], None]) -> bytes:
    """Return a file whose footer was edited."""
    length = int.from_bytes(file[-8:-4], "little")
    footer = Reader(file[-8 - length : -8]).read_struct()
    edit(footer)
    written = write_struct(footer)
    return file[: -8 - length] + written + len(written).to_bytes(4, "little") + b"PAR1"


def get_column(footer: Tree, column: int, group: int = 0) -> Tree:
    """Return the metadata of a column chunk."""
    chunk: Tree = footer[4].value[group][1].value[column]
    return chunk[3].value  # type: ignore[no-any-return]


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def read_varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def read_struct(self) -> Tree:
        fields: Tree = {}
        last = 0
        while (head := self.take(1)[0]) != 0:
            last = last + (head >> 4) if head >> 4 else self.read_integer()
            fields[last] = self.read(head & 0x0F)
        return fields

    def read_integer(self) -> int:
        value = self.read_varint()
        return value >> 1 ^ -(value & 1)

    def read(self, kind: int) -> Value:  # noqa: PLR0911 - one for each type
        if kind in (TRUE, FALSE):
            return Value(kind, kind == TRUE)
        if kind == BYTE:
            return Value(kind, self.take(1)[0])
        if kind in (I16, I32, I64):
            return Value(kind, self.read_integer())
        if kind == DOUBLE:
            return Value(kind, struct.unpack("<d", self.take(8))[0])
        if kind == BINARY:
            return Value(kind, self.take(self.read_varint()))
        if kind == LIST:
            head = self.take(1)[0]
            count = head >> 4 if head >> 4 < 15 else self.read_varint()
            items = head & 0x0F
            return Value(kind, [self.read_item(items) for _ in range(count)], items)
        assert kind == STRUCT, kind
        return Value(kind, self.read_struct())

    def read_item(self, kind: int) -> Any:
        return self.take(1)[0] == 1 if kind in (TRUE, FALSE) else self.read(kind).value


def write_varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def write_integer(value: int) -> bytes:
    return write_varint(value << 1 if value >= 0 else ~value << 1 | 1)


def write_struct(fields: Tree) -> bytes:
    written, last = b"", 0
    for place, value in sorted(fields.items()):
        delta = place - last
        written += bytes([delta << 4 | value.kind]) if delta < 16 else bytes([value.kind]) + write_integer(place)
        written += write(value)
        last = place
    return written + b"\0"


def write(value: Value) -> bytes:  # noqa: PLR0911 - one for each type
    match value.kind:
        case 1 | 2:
            return b""
        case 3:
            return bytes([value.value])
        case 4 | 5 | 6:
            return write_integer(value.value)
        case 7:
            return struct.pack("<d", value.value)
        case 8:
            return write_varint(len(value.value)) + bytes(value.value)
        case 9:
            count = len(value.value)
            head = bytes([min(count, 15) << 4 | value.items]) + (write_varint(count) if count >= 15 else b"")
            return head + b"".join(write_item(item, value.items) for item in value.value)
        case _:
            return write_struct(value.value)


def write_item(item: Any, kind: int) -> bytes:
    if kind in (TRUE, FALSE):
        return b"\1" if item else b"\2"
    return write(Value(kind, item))
