"""A dataset in S3 to a file by Polars and by DuckDB: the commands a user would type.

Runs in the bench's own environment, which has both. DuckDB's wheel comes without its S3 extension, so that the object
is downloaded first, as its user would.
"""

import importlib
import os
import urllib.request
from pathlib import Path

from tests.bench.contenders.download_dataset import BUCKET, KEY, ORGANISATION, QUANTITY, Job

COMMANDS = {
    "csv": "(FORMAT csv)",
    "json": "(FORMAT json, ARRAY true)",
    "parquet": "(FORMAT parquet)",
    "slice": "(FORMAT csv)",
}
CONDITIONS = {"slice": f"\"organisation-entity\" = '{ORGANISATION}'", "parquet": f"quantity >= {QUANTITY}"}


def run_polars(job: Job) -> None:
    """Write the job's result with Polars."""
    pl = importlib.import_module("polars")
    options = {
        "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }
    source = pl.scan_parquet(f"s3://{BUCKET}/{KEY}", storage_options=options)
    if job.case == "slice":
        source.filter(pl.col("organisation-entity") == ORGANISATION).sink_csv(job.target)
    elif job.case == "parquet":
        source.filter(pl.col("quantity") >= QUANTITY).sink_parquet(job.target)
    elif job.case == "json":
        source.collect().write_json(job.target)
    else:
        source.sink_csv(job.target)


def run_duckdb(job: Job) -> None:
    """Write the job's result with DuckDB."""
    import duckdb  # noqa: PLC0415

    local = f"{job.target}.source"
    urllib.request.urlretrieve(f"{os.environ['AWS_ENDPOINT_URL']}/{BUCKET}/{KEY}", local)
    where = f"WHERE {CONDITIONS[job.case]}" if job.case in CONDITIONS else ""
    duckdb.sql(f"COPY (FROM read_parquet('{local}') {where}) TO '{job.target}' {COMMANDS[job.case]}")
    Path(local).unlink()
