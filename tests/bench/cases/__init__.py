"""The cases of the bench, one module a service, and the data that they need.

Each module builds its contenders and hands them to the harness; `__main__` runs the modules.
"""

__all__ = [
    "cold_starts",
    "csv_streamer",
    "data_aggregator",
    "dataset_download",
    "dataset_load",
    "package_sizes",
    "xapi_etl",
    "zip_jobs",
]
