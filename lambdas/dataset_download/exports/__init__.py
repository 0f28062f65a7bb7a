"""Exports: results that are written to S3 once and shared by all equal requests.

`store` keeps their status and their objects. `run` makes one export.
"""

__all__ = ["run", "store"]
