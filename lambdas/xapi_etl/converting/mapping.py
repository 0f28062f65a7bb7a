"""The column mapping: the JSON paths, type and transform of each column."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args

from xapi_etl.exceptions import MappingError

SHIPPED = Path(__file__).with_name("columns.json")

type ColumnType = Literal["String", "DateTime64(3)", "Float64", "Int64", "UInt64", "Bool", "Array(String)"]
type Transform = Literal[
    "lowercase", "duration", "json", "origin", "line", "line_sha256", "source_file", "source_etag", "source_line"
]
type Kind = Literal["text", "number", "integer", "flag", "any", "raw", "texts"]
"""The JSON type that a value must have; ``raw`` is a list or object that is traversed later."""
WILDCARD = "*"
"""The path component that stands for every element of a list."""
CONDITION = "?"
"""The prefix of a path component that stands for a list's first element with a value: ``?definition.type=x``."""

_TYPES: tuple[str, ...] = get_args(ColumnType.__value__)
_TRANSFORMS: tuple[str, ...] = get_args(Transform.__value__)
_KINDS: dict[str, Kind] = {
    "String": "text",
    "DateTime64(3)": "text",
    "Float64": "number",
    "Int64": "integer",
    "UInt64": "integer",
    "Bool": "flag",
    "Array(String)": "texts",
}
LINEAGE: dict[Transform, ColumnType] = {
    "line": "String",
    "line_sha256": "String",
    "source_file": "String",
    "source_etag": "String",
    "source_line": "UInt64",
}
"""Transforms that do not read the document, and the type of their values."""
_TRANSFORM_TYPES: dict[Transform, ColumnType] = {
    **LINEAGE,
    "lowercase": "String",
    "duration": "Float64",
    "json": "String",
    "origin": "String",
}
"""The type of each transform's values."""
_ENTRY_KEYS = {"name", "type", "paths", "transform", "partition", "key", "default", "default_if", "fallback", "of"}
ARRIVAL = "arrival"
"""The fallback of a missing time: when S3 received the object."""

type JsonPath = tuple[str, ...]
"""The keys that lead to a value."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that is extracted from each line."""

    path: JsonPath
    kind: Kind


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    type: ColumnType
    paths: tuple[JsonPath, ...]
    """The first path with a value that is not null gives the value."""
    transform: Transform | None = None
    is_partition: bool = False
    """Whether the table is partitioned by this column's month."""
    is_key: bool = False
    """Whether the table keeps one row for each value of this column and eventually drops the others."""
    default: str | None = None
    """The text for a missing value."""
    default_if: str | None = None
    """The column that must have a value for the default to apply; ``None``: the default always applies."""
    has_arrival: bool = False
    """Whether a missing time becomes that of the object's arrival."""
    origin_of: str | None = None
    """The column whose value's path this column holds."""

    @property
    def kind(self) -> Kind:
        """Return the JSON type that the column's values must have in the document."""
        if self.transform == "json":
            return "any"
        return "text" if self.transform == "duration" else _KINDS[self.type]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Return the leaves that may hold the column's value."""
        return tuple(self.leaf(path) for path in self.paths)

    def without(self, others: Collection[str]) -> Column:
        """Return the column for a mapping without the columns ``others``."""
        return replace(self, default=None, default_if=None) if self.default_if in others else self

    def leaf(self, path: JsonPath) -> Leaf:
        """Return the leaf of a path; if the path leads through a list, the leaf is that list."""
        head = split_path(path)[0]
        return Leaf(head, "raw") if len(head) < len(path) else Leaf(path, self.kind)


@dataclass(frozen=True)
class Mapping:
    """All columns, in the order of the INSERT."""

    columns: tuple[Column, ...]

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """Return the leaves of all columns, without duplicates."""
        return tuple(dict.fromkeys(leaf for column in self.columns for leaf in column.leaves))

    @cached_property
    def column_of(self) -> dict[Leaf, str]:
        """Return the name of the first column of each leaf."""
        return {leaf: column.name for column in reversed(self.columns) for leaf in column.leaves}

    @cached_property
    def partition_column(self) -> str | None:
        """Return the name of the column by whose month the table is partitioned."""
        return next((column.name for column in self.columns if column.is_partition), None)

    @cached_property
    def key_column(self) -> str | None:
        """Return the name of the column that identifies a statement."""
        return next((column.name for column in self.columns if column.is_key), None)

    def name_of(self, transform: Transform) -> str | None:
        """Return the name of the column that holds a piece of lineage."""
        return next((column.name for column in self.columns if column.transform == transform), None)

    def select(self, names: Sequence[str]) -> Mapping:
        """Return the mapping with just the named columns, in that order.

        Raises:
            MappingError: a name is not a column of the mapping.
        """
        known = {column.name: column for column in self.columns}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise MappingError(f"CLICKHOUSE_INSERT_COLUMNS names {', '.join(unknown)}, which the mapping does not have")
        others = set(known) - set(names)
        kept = [known[name] for name in names if known[name].origin_of not in others]
        return Mapping(tuple(column.without(others) for column in kept))


def has_schema(leaves: Sequence[Leaf]) -> bool:
    """Return whether all leaves fit into one typed schema, which the fast path requires."""
    if not leaves or any(leaf.kind == "any" or not leaf.path for leaf in leaves):
        return False
    return not any(
        long[: len(short)] == short
        for one, other in combinations([leaf.path for leaf in leaves], 2)
        for short, long in [sorted([one, other], key=len)]
    )


def leads_into_list(key: str) -> bool:
    """Return whether a path component may stand for elements of a list."""
    return key == WILDCARD or key.startswith(CONDITION) or (key.isdecimal() and key.isascii())


def split_path(path: JsonPath) -> tuple[JsonPath, JsonPath]:
    """Return a path up to its first list, and the rest, which begins with an index or a wildcard."""
    steps = [number for number, key in enumerate(path) if leads_into_list(key)]
    return (path[: steps[0]], path[steps[0] :]) if steps else (path, ())


def load_mapping(text: str | bytes) -> Mapping:
    """Read a mapping as ``columns.json`` holds it.

    Raises:
        MappingError: it is invalid; the message names the column and the problem.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise MappingError(f"the column mapping is not JSON: {error}") from error
    if not isinstance(document, list) or not document:
        raise MappingError("the column mapping is not a list of columns")
    mapping = Mapping(tuple(_read_column(number, entry) for number, entry in enumerate(document, start=1)))
    names = [column.name for column in mapping.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MappingError(f"the column mapping has several columns {', '.join(twice)}")
    if (
        sum(column.is_partition for column in mapping.columns) > 1
        or sum(column.is_key for column in mapping.columns) > 1
    ):
        raise MappingError("the column mapping has several partition columns or several key columns")
    for column in mapping.columns:
        for what, name in (("default_if", column.default_if), ("of", column.origin_of)):
            if name is not None and name not in names:
                raise MappingError(
                    f"column {column.name!r} of the mapping: {what} names {name!r}, which is not a column of it"
                )
    return mapping


def parse_path(path: str) -> JsonPath:
    """Return the keys of a JSON pointer (``/a/b~1c``) or of a dotted path (``a.b``).

    Raises:
        MappingError: the path is empty or has an empty part.
    """
    if path.startswith("/"):
        # Source: RFC 6901, section 4, whose order of the two replacements matters.
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    parts = tuple(path.split("."))
    if not all(parts):
        raise MappingError(f"path {path!r} has an empty part; an empty key needs a JSON pointer, like /a//b")
    return parts


def _read_column(number: int, entry: Any) -> Column:  # noqa: ANN401  # a file may contain any JSON value
    where = f"column {number} of the mapping"
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise MappingError(f"{where} has no name")
    where = f"column {entry['name']!r} of the mapping"
    if entry.keys() - _ENTRY_KEYS:
        raise MappingError(f"{where} has unknown keys: {', '.join(sorted(entry.keys() - _ENTRY_KEYS))}")
    if entry.get("type") not in _TYPES:
        raise MappingError(f"{where} has the type {entry.get('type')!r}, not one of {', '.join(_TYPES)}")
    transform = entry.get("transform")
    if transform is not None and transform not in _TRANSFORMS:
        raise MappingError(f"{where} has the transform {transform!r}, not one of {', '.join(_TRANSFORMS)}")
    _check_transform(where, transform, entry["type"])
    paths = _read_paths(where, transform, entry.get("paths", []))
    is_key = entry.get("key", False)
    if not isinstance(is_key, bool) or (is_key and entry["type"] != "String"):
        raise MappingError(f"{where}: key is not true or false, or the column is not a String")
    _check_paths(where, entry["type"], paths)
    default, default_if, fallback, origin_of = (
        _read_text(where, entry, key) for key in ("default", "default_if", "fallback", "of")
    )
    if default is not None and (entry["type"] != "String" or transform in LINEAGE):
        raise MappingError(f"{where} has a default, but is not a String from the document")
    if fallback is not None and (fallback != ARRIVAL or entry["type"] != "DateTime64(3)"):
        raise MappingError(f"{where}: fallback is not {ARRIVAL!r}, or the column is not a time")
    if (origin_of is None) == (transform == "origin"):
        raise MappingError(f"{where}: the transform 'origin' and the key 'of' require each other")
    return Column(
        name=entry["name"],
        type=entry["type"],
        paths=paths,
        transform=transform,
        is_partition=_read_partition(where, entry),
        is_key=is_key,
        default=default,
        default_if=default_if,
        has_arrival=fallback is not None,
        origin_of=origin_of,
    )


def _read_text(where: str, entry: dict[str, Any], key: str) -> str | None:
    value = entry.get(key)
    if value is not None and not (isinstance(value, str) and value):
        raise MappingError(f"{where}: {key} is not a text")
    return value


def _check_paths(where: str, column_type: ColumnType, paths: Sequence[JsonPath]) -> None:
    """Raise MappingError unless the paths have wildcards exactly if the column's type is Array(String)."""
    for path in paths:
        if (WILDCARD in path) != (column_type == "Array(String)"):
            pointer = "/" + "/".join(path)
            raise MappingError(f"{where}: path {pointer!r} does not match type {column_type}: * gives Array(String)")


def _check_transform(where: str, transform: Transform | None, column_type: ColumnType) -> None:
    needed = _TRANSFORM_TYPES.get(transform, column_type) if transform else column_type
    if needed != column_type:
        raise MappingError(f"{where} has the transform {transform!r}, which gives {needed}, not {column_type}")


def _read_paths(where: str, transform: str | None, paths: Any) -> tuple[JsonPath, ...]:  # noqa: ANN401
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise MappingError(f"{where}: paths is not a list of texts")
    if any(map(_has_unpaired_surrogate, paths)):
        raise MappingError(f"{where}: a path contains an unpaired surrogate, which no key can contain")
    if bool(paths) == (transform in LINEAGE or transform == "origin"):
        raise MappingError(f"{where} {'needs no paths' if paths else 'has no paths'}")
    return tuple(dict.fromkeys(parse_path(path) for path in paths))


def _has_unpaired_surrogate(path: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in path)


def _read_partition(where: str, entry: dict[str, Any]) -> bool:
    partition = entry.get("partition")
    if partition not in {None, "month"}:
        raise MappingError(f"{where}: partition is {partition!r}, not 'month'")
    if partition and entry["type"] != "DateTime64(3)":
        raise MappingError(f"{where} is a partition column, but its type is not DateTime64(3)")
    return bool(partition)
