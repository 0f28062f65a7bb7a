"""Arrow tables of converted lines joined into one table."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa  # type: ignore[import-untyped]


def join_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Return tables joined into one; a column whose types differ (``COLUMN_MAP=auto``) gets a type that fits all."""
    schemas = {tuple(zip(table.schema.names, table.schema.types, strict=True)) for table in tables}
    if len(schemas) == 1:
        return pa.concat_tables(tables)
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            types.setdefault(field.name, set()).add(field.type)
    chosen = {
        name: _choose_type(found, [table for table in tables if name in table.schema.names], name)
        for name, found in types.items()
    }
    schema = pa.schema([pa.field(name, kind) for name, kind in chosen.items()])
    return pa.concat_tables([_fit(table, schema) for table in tables])


def _choose_type(found: set[pa.DataType], tables: Sequence[pa.Table], name: str) -> pa.DataType:
    if len(found) == 1:
        return next(iter(found))
    if found != {pa.int64(), pa.float64()}:
        return pa.string()
    try:
        for table in tables:
            table.column(name).cast(pa.float64())
    except pa.ArrowInvalid:  # a whole number that a Float64 cannot represent
        return pa.string()
    return pa.float64()


def _fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table.column(field.name).cast(field.type, safe=False)
        if field.name in table.schema.names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
