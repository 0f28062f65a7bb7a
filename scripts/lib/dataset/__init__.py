"""Steps of the dataset download's scripts: sample datasets, signed downloads, and a row count that checks them.

The shell scripts run `download` and `sample_datasets`. The smoke test imports the modules below.
"""

__all__ = ["count_rows", "fetch", "sample_datasets"]
