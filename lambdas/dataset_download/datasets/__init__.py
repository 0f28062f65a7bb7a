"""Datasets in the bucket: one object, or a folder of Parquet files with one schema.

`dataset` opens a dataset. `listing` pages through all datasets of the bucket.
"""

__all__ = ["dataset", "listing", "names", "partitions", "schema_unification"]
