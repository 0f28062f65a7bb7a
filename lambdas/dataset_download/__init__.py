"""Parquet datasets in S3 as CSV, JSON, JSON Lines or Parquet: filtered, streamed, browsable."""
