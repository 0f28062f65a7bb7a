"""Rows in ClickHouse: the HTTP client, INSERTs as Parquet with a deduplication token, and the ledger of INSERTs.

`inserter` inserts the rows of an `insert_batch` once. It looks into the `ledger` before each INSERT and records there
what ClickHouse has acknowledged.
"""

__all__ = ["http_client", "insert_batch", "inserter", "ledger"]
