"""The fast path: the mapped values of plain lines, found by a C library (scan.c) that reads each line once.

Lines that the library marks as slow_path are left to the careful parser, documents.py.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from xapi_etl.reading.lines import Lines
from xapi_etl.reading.native import load_library

from .mapping import Kind, Leaf

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "any": pa.string(),
    "raw": pa.string(),
}
_MAX_SPANS = 512 * 1024
"""Maximum spans of one call; for many short lines or many columns they would need more memory than the lines."""

# These match the definitions in scan.c.
_KINDS: dict[Kind, int] = {"text": 1, "number": 2, "integer": 3, "flag": 4, "raw": 5}
_NODE = np.dtype([(name, np.uint32) for name in ("key_start", "key_length", "slots_start", "slots", "kind", "leaf")])
_WORD = 8
_GOLDEN = 0x9E3779B97F4A7C15
_LENGTH_BITS = 0x7FFFFFFF


class _Tree(ctypes.Structure):
    _fields_ = (("nodes", ctypes.c_void_p), ("keys", ctypes.c_char_p), ("slots", ctypes.c_void_p))


class _Block(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_char_p),
        ("size", ctypes.c_uint64),
        ("starts", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("lines", ctypes.c_uint32),
    )


@dataclass(slots=True)
class Scanner:
    """Finds the values of leaves; no leaf may lie within another."""

    leaves: Sequence[Leaf]
    _nodes: np.ndarray = field(init=False)
    _slots: np.ndarray = field(init=False)
    _keys: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._nodes, self._slots, self._keys = build_tree(self.leaves)

    def scan(self, lines: Lines) -> tuple[pa.Table, np.ndarray]:
        """Return a row for each line, with columns named by leaf number, and the lines that need the slow path.

        A line of the slow path has nulls in all columns.
        """
        lines_per_call = max(1, _MAX_SPANS // len(self.leaves))
        parts = [
            self._scan(lines, slice(start, start + lines_per_call)) for start in range(0, len(lines), lines_per_call)
        ]
        return pa.concat_tables([table for table, _ in parts]), np.concatenate([slow_path for _, slow_path in parts])

    def _scan(self, lines: Lines, some: slice) -> tuple[pa.Table, np.ndarray]:
        starts, ends = lines.starts[some], lines.ends[some]
        spans = np.zeros((len(self.leaves), len(starts), 2), np.uint32)
        slow_path, seen = np.empty(len(starts), bool), np.zeros(len(self._nodes), np.uint32)
        block = _Block(lines.data, len(lines.data), starts.ctypes.data, ends.ctypes.data, len(starts))
        tree = _Tree(self._nodes.ctypes.data, self._keys, self._slots.ctypes.data)
        load_library().scan_lines(
            ctypes.byref(block),
            ctypes.byref(tree),
            len(self.leaves),
            seen.ctypes.data,
            spans.ctypes.data,
            slow_path.ctypes.data,
        )
        columns = self._copy_values(lines.data, spans)
        return pa.table(columns, names=[str(number) for number in range(len(columns))]), slow_path

    def _copy_values(self, data: bytes, spans: np.ndarray) -> list[pa.Array]:
        """Return the leaves' columns; their buffers are slices of a few large ones, which are cheaper to allocate."""
        leaves, lines, _ = spans.shape
        ends = np.cumsum((spans[:, :, 1] & _LENGTH_BITS).sum(axis=1, dtype=np.int64))
        starts, found = np.concatenate([[0], ends[:-1]]), np.empty(leaves, np.uint32)
        offsets, texts = np.empty((leaves, lines + 1), np.int32), np.empty(ends[-1], np.uint8)
        validity = np.zeros((leaves, (lines + 7) // 8), np.uint8)
        arrays = (offsets, validity, texts, starts, found)
        load_library().copy_texts(data, spans.ctypes.data, leaves, lines, *(array.ctypes.data for array in arrays))
        columns = []
        for number, leaf in enumerate(self.leaves):
            parts = (validity[number], offsets[number], texts[starts[number] :])
            nulls = lines - int(found[number])
            columns.append(_make_column(leaf.kind, lines, nulls, [pa.py_buffer(part) for part in parts]))
        return columns


def build_tree(leaves: Sequence[Leaf]) -> tuple[np.ndarray, np.ndarray, bytes]:
    """Return the tree of the leaves' keys for scan.c: nodes (the first is the document), slots and keys."""
    paths = sorted({leaf.path[:depth] for leaf in leaves for depth in range(len(leaf.path) + 1)}, key=len)
    numbers = {path: number for number, path in enumerate(paths)}
    children: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in paths[1:]:
        children.setdefault(path[:-1], []).append(path)
    leaf_of = {leaf.path: (_KINDS[leaf.kind], number) for number, leaf in enumerate(leaves)}
    nodes, slots, keys = np.zeros(len(paths), _NODE), list[int](), b""
    for number, path in enumerate(paths):
        key = path[-1].encode() if path else b""
        table = _fill_slots({child[-1].encode(): numbers[child] for child in children.get(path, [])})
        nodes[number] = (len(keys), len(key), len(slots), len(table), *leaf_of.get(path, (0, 0)))
        slots += table
        keys += key
    return nodes, np.array(slots, np.uint32), keys


def _fill_slots(numbers: dict[bytes, int]) -> list[int]:
    """Return a hash table of keys, never more than half full."""
    if not numbers:
        return []
    slots = [0] * (2 << (len(numbers) - 1).bit_length())
    for key, number in numbers.items():
        slot = _choose_slot(key, len(slots))
        while slots[slot % len(slots)]:
            slot += 1
        slots[slot % len(slots)] = number
    return slots


def _choose_slot(key: bytes, slots: int) -> int:
    """Return the slot that scan.c probes first."""
    head = int.from_bytes(key[:_WORD], "little")
    tail = int.from_bytes(key[-_WORD:], "little") if len(key) > _WORD else 0
    product = (head * _GOLDEN % 2**64 ^ tail) * _GOLDEN % 2**64
    return ((product >> 32) * slots >> 32) + len(key)


def _make_column(kind: Kind, lines: int, nulls: int, buffers: list[pa.Buffer]) -> pa.Array:
    type_ = ARROW_TYPES[kind]
    if nulls == lines:
        return pa.nulls(lines, type_)
    texts = pa.Array.from_buffers(pa.string(), lines, buffers, nulls)
    return texts if kind in {"text", "raw"} else texts.cast(type_)
