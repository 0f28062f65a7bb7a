"""ETL of xAPI statements: JSON Lines in S3 become rows in ClickHouse, each line exactly once."""
