"""Logical types that Arrow does not write; they are added to the footer that Arrow has written.

Arrow reads enumerations, BSON, geometries, intervals and variants as their stored text, bytes and structures, and every
time of day as UTC. The result's footer repeats the source's annotations of these columns.

Source: apache/parquet-format, parquet.thrift (SchemaElement); apache/thrift, doc/specs/thrift-compact-protocol.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dataset_download.parquet.footer_library import Element
from dataset_download.parquet.metadata import ABSENT, Footer, Layout, read_layout

FIXED = 7
"""The physical type FIXED_LEN_BYTE_ARRAY."""
TIME = 7
JSON, ENUM, BSON, UUID, VARIANT, GEOMETRY, GEOGRAPHY = 12, 4, 13, 14, 16, 17, 18
KEPT_LOGICAL = frozenset({JSON, ENUM, BSON, UUID, VARIANT, GEOMETRY, GEOGRAPHY})
KEPT_CONVERTED = frozenset({4, 19, 20, 21})
"""ENUM, JSON, BSON, INTERVAL."""
UNORDERED_LOGICAL = frozenset({GEOMETRY, GEOGRAPHY})
INTERVAL = 21
I32, BINARY, STRUCT = 5, 8, 12
"""Types of Thrift's compact protocol."""
SHORT_LIST = 15


@dataclass(frozen=True)
class Annotation:
    """The logical type of a schema node, from a source file."""

    type: int
    type_length: int
    children: int
    converted: int
    logical: int
    logical_bytes: bytes
    unit: int

    @property
    def is_kept(self) -> bool:
        """Whether Arrow would drop the annotation."""
        return self.logical in KEPT_LOGICAL or self.converted in KEPT_CONVERTED or self.logical == TIME

    @property
    def has_order(self) -> bool:
        """Whether the values have an order, and thus bounds."""
        return self.logical not in UNORDERED_LOGICAL and self.converted != INTERVAL


type Annotations = Sequence[Sequence[Annotation]]
"""For each column of a result its nodes in depth-first order; empty if no file has the column."""


def find_annotations(names: Sequence[str], footers: Sequence[Footer]) -> list[list[Annotation]]:
    """Return the annotations of each column, taken from the first file that has the column."""
    found: dict[str, list[Annotation]] = {}
    for footer in footers:
        if all(name in found for name in names):
            break
        for name, column in zip(footer.schema_arrow.names, list_annotations(footer), strict=True):
            found.setdefault(name, column)
    return [found.get(name, []) for name in names]


def list_annotations(footer: Footer) -> list[list[Annotation]]:
    """Return the annotations of each column of a file."""
    return [
        [
            Annotation(
                node.type,
                node.type_length,
                node.children,
                node.converted,
                node.logical,
                footer.read(node.logical_bytes),
                node.unit,
            )
            for node in column
        ]
        for column in split_columns(footer.elements)
    ]


def split_columns(elements: Sequence[Element]) -> list[Sequence[Element]]:
    """Return the nodes of a schema, by column."""
    columns, start = [], 1
    while start < len(elements):
        end, left = start, 1
        while left:
            left += elements[end].children - 1
            end += 1
        columns.append(elements[start:end])
        start = end
    return columns


def has_unordered(annotations: Annotations) -> bool:
    """Return whether some values have no order."""
    return not all(node.has_order for column in annotations for node in column)


def list_ordered(annotations: Annotations, footer: Layout) -> list[int]:
    """Return the indices of the written leaves whose values have an order."""
    ordered: list[int] = []
    number = 0
    for column, written in zip(annotations, split_columns(footer.elements), strict=True):
        leaves = [node for node in written if not node.children and node.type != ABSENT]
        known = dict(_pair(column, written))
        for leaf in leaves:
            node = known.get(leaf.bytes.start)
            if node is None or node.has_order:
                ordered.append(number)
            number += 1
    return ordered


def _pair(source: Sequence[Annotation], written: Sequence[Element]) -> Iterable[tuple[int, Annotation]]:
    """Yield the indices of the written nodes with the matching nodes of the source."""
    if [node.children for node in source] == [node.children for node in written]:
        pairs = list(zip(source, written, strict=True))
    else:
        # Lists in the old form have fewer levels than Arrow's; the leaves are the same.
        leaves = [node for node in source if not node.children and node.type != ABSENT]
        written_leaves = [node for node in written if not node.children and node.type != ABSENT]
        pairs = list(zip(leaves, written_leaves, strict=False)) if len(leaves) == len(written_leaves) else []
    for node, element in pairs:
        is_as_long = node.type != FIXED or node.type_length == element.type_length
        if node.type == element.type and is_as_long:
            yield element.bytes.start, node


def annotate(footer: bytes, annotations: Annotations) -> bytes:
    """Return a footer, without length and marker, with the annotations of the sources."""
    if not any(node.is_kept for column in annotations for node in column):
        return footer
    layout = read_layout(footer)
    known: dict[int, Annotation] = {}
    for column, written in zip(annotations, split_columns(layout.elements), strict=True):
        known.update(_pair(column, written))
    nodes = [_write_element(layout, element, known.get(element.bytes.start)) for element in layout.elements]
    count = len(nodes)
    header = bytes([count << 4 | STRUCT]) if count < SHORT_LIST else b"\xfc" + _write_varint(count)
    start, end = layout.schema
    return footer[:start] + header + b"".join(nodes) + footer[end:]


def _write_element(layout: Layout, element: Element, node: Annotation | None) -> bytes:
    """Return a schema node with the annotation of its source, if Arrow has not written it."""
    if node is None or not node.is_kept or (node.logical == TIME and node.unit != element.unit):
        return layout.read(element.bytes)
    writer = _Fields()
    writer.add_number(1, element.type, is_there=element.type != ABSENT)
    writer.add_number(2, element.type_length, is_there=element.type_length > 0)
    writer.add_number(3, element.repetition, is_there=element.repetition != ABSENT)
    name = layout.read(element.name)
    writer.add(4, BINARY, _write_varint(len(name)) + name)
    writer.add_number(5, element.children, is_there=element.children > 0)
    writer.add_number(6, node.converted, is_there=node.converted != ABSENT)
    writer.add_number(9, element.field_id, is_there=element.field_id != ABSENT)
    if node.logical_bytes:
        writer.add(10, STRUCT, node.logical_bytes)
    return writer.finish()


class _Fields:
    """A structure in Thrift's compact protocol; its fields are added in ascending order."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._last = 0

    def add(self, number: int, kind: int, value: bytes) -> None:
        self._chunks += [bytes([(number - self._last) << 4 | kind]), value]
        self._last = number

    def add_number(self, number: int, value: int, *, is_there: bool) -> None:
        if is_there:
            self.add(number, I32, _write_varint(value << 1 if value >= 0 else -value * 2 - 1))

    def finish(self) -> bytes:
        return b"".join(self._chunks) + b"\0"


def _write_varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits per byte
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
