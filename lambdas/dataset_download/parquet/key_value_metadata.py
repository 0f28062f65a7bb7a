"""Key-value metadata of a Parquet file, reduced to the part that is valid for the selected columns.

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
"""Keys that describe the whole schema, and thus are wrong for a selection of columns."""
GEO = b"geo"


def select_metadata(metadata: dict[bytes, bytes] | None, names: Sequence[str] | None) -> dict[bytes, bytes] | None:
    """Return a file's metadata for a result with other columns: these names only or, with None, more columns."""
    kept = {key: value for key, value in (metadata or {}).items() if key not in OWN_SCHEMAS}
    if names is not None and GEO in kept:
        geo = _select_geometries(kept.pop(GEO), names)
        if geo is not None:
            kept[GEO] = geo
    return kept or None


def _select_geometries(text: bytes, names: Sequence[str]) -> bytes | None:
    """Return the GeoParquet metadata of the selected geometries; None if there are none."""
    try:
        described: dict[str, Any] = json.loads(text)
        columns = {name: dict(column) for name, column in described["columns"].items() if name in names}
    except (ValueError, KeyError, TypeError, AttributeError):
        return text  # not GeoParquet metadata
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
    """Return whether all columns of the bounding boxes, given by paths, are selected."""
    paths = [path for box in covering.values() if isinstance(box, dict) for path in box.values()]
    return all(isinstance(path, list) and path and path[0] in names for path in paths)
