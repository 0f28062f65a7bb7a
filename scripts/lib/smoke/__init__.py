"""A small case of each deployed service; its objects bear the run's name and are removed at the end.

`smoke.sh` runs `run`. The checks are in `cases` and `dataset_case`.
"""

__all__ = ["run"]
