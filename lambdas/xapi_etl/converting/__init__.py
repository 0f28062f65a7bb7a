"""Lines as rows: the column mapping, the two parsers, the column types, and Arrow tables of at most one INSERT.

`mapped_columns` converts by a mapping, `auto_columns` by top-level keys. `row_chunks` converts the blocks of one
object in threads. `tuning` sets up the process for it.
"""

__all__ = ["auto_columns", "mapped_columns", "mapping", "row_chunks", "table_types", "tables", "transforms", "tuning"]
