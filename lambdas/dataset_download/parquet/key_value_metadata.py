"""What a Parquet file says of itself beside its schema, as far as it is right for some of its columns.

Source: GeoParquet 1.1, "File metadata".
"""

import json
from collections.abc import Sequence
from typing import Any

OWN_SCHEMAS = frozenset(
    {
        b"pandas",
        b"org.apache.spark.sql.parquet.row.metadata",
        b"parquet.avro.schema",
        b"avro.schema",
        b"iceberg.schema",
    }
)
"""Descriptions of all of a file's columns: wrong for some of them."""
GEO = b"geo"


def select_metadata(metadata: dict[bytes, bytes] | None, names: Sequence[str] | None) -> dict[bytes, bytes] | None:
    """Return a file's metadata for an answer of other columns: of these names only, or (None) of more."""
    kept = {key: value for key, value in (metadata or {}).items() if key not in OWN_SCHEMAS}
    if names is not None and GEO in kept:
        geo = _select_geometries(kept.pop(GEO), names)
        if geo is not None:
            kept[GEO] = geo
    return kept or None


def _select_geometries(text: bytes, names: Sequence[str]) -> bytes | None:
    """Return GeoParquet's description of the geometries that are left; None if none is."""
    try:
        described: dict[str, Any] = json.loads(text)
        columns = {name: dict(column) for name, column in described["columns"].items() if name in names}
    except (ValueError, KeyError, TypeError, AttributeError):
        return text  # not GeoParquet's, whatever it is
    if not columns:
        return None
    for column in columns.values():
        covering = column.get("covering")
        if isinstance(covering, dict) and not _is_covered(covering, names):
            del column["covering"]
    primary = described.get("primary_column")
    described |= {"columns": columns, "primary_column": primary if primary in columns else next(iter(columns))}
    return json.dumps(described, ensure_ascii=False).encode()


def _is_covered(covering: dict[str, Any], names: Sequence[str]) -> bool:
    """Whether the columns of bounding boxes are all there: they are given by paths."""
    paths = [path for box in covering.values() if isinstance(box, dict) for path in box.values()]
    return all(isinstance(path, list) and path and path[0] in names for path in paths)
