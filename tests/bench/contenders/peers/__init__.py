"""The same work done by Polars and DuckDB, as a user of those tools would write it.

Each module belongs to the service whose name it has.
"""

__all__ = ["dataset_download", "xapi_etl"]
