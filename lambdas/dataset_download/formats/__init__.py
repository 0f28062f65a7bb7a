"""The response formats CSV, JSON, JSON Lines and Parquet: encoders from Arrow batches to bytes.

`format` names the formats. `row_joining` builds rows with C (join.c); only the text formats use it.
"""

__all__ = ["csv_rows", "encoding", "format", "json_rows", "logical_types", "parquet_file", "text"]
