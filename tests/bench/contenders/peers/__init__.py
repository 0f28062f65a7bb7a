"""The same work done by Polars and DuckDB, as a user of those tools would write it.

Each module is named after its service.
"""

__all__ = ["dataset_download", "xapi_etl"]
