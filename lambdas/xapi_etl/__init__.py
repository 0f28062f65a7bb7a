"""JSON Lines in S3 become Parquet and then rows in ClickHouse, each line once."""
