"""The plan of a query: the row groups to read, and an estimate of the result's size.

`plan` makes it. Row groups are skipped by partitions and by the statistics of trusted writers.
"""

__all__ = ["plan", "statistics_bounds"]
