"""Rows for the tests' tables, as Parquet."""

import io
from datetime import UTC, datetime

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

EXACTLY_ONCE = {"async_insert": "0", "max_insert_threads": "1", "wait_end_of_query": "1"}


def make_parquet(count: int, first: int = 0, *, months: int = 1, text: str = "{}", row_group: int = 0) -> bytes:
    """Return `count` statements with numbers from `first` on, spread over `months` months, in one row group."""
    numbers = range(first, first + count)
    table = pa.table(
        {
            "statement_id": [f"statement-{number}" for number in numbers],
            "timestamp": pa.array(
                [datetime(2025, 1 + number % months, 5, tzinfo=UTC) for number in numbers], pa.timestamp("ms", "UTC")
            ),
            "statement": [text] * count,
            "event_hash": [f"{number:064x}" for number in numbers],
            "source_file": [f"s3://bucket/{first}.jsonl"] * count,
            "source_etag": ["etag"] * count,
            "source_line": pa.array(range(1, count + 1), pa.uint64()),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=row_group or count, use_dictionary=False, compression="none")
    return sink.getvalue()


COLUMNS = "statement_id, timestamp, statement, event_hash, source_file, source_etag, source_line"
INSERT_STATEMENTS = f"INSERT INTO xapi.statements ({COLUMNS}) FORMAT Parquet"
