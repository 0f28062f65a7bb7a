"""The dataset download's reference algorithm, from its description: batches of 10,000 rows by way of pandas.

The object is read whole (the description opens a Parquet file "from S3"); a filter is applied to each batch's frame.
"""

import io
import json
import os
import urllib.request

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from tests.bench.contenders.download_dataset import BUCKET, KEY, ORGANISATION, QUANTITY, Job

BATCH_ROWS = 10_000


def run_reference(job: Job) -> None:
    """Write the job's result."""
    with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/{BUCKET}/{KEY}") as answer:
        body = answer.read()
    source = pq.ParquetFile(io.BytesIO(body))
    if job.case == "parquet":
        _write_parquet(source, job)
        return
    with open(job.target, "wb") as target:  # noqa: PTH123 - plain as it is
        first = True
        if job.case == "json":
            target.write(b"[")
        for batch in source.iter_batches(batch_size=BATCH_ROWS):
            frame = batch.to_pandas()
            if job.case == "slice":
                frame = frame[frame["organisation-entity"] == ORGANISATION]
            if job.case == "json":
                for record in frame.to_dict(orient="records"):
                    target.write(("" if first else ",").encode() + json.dumps(record, default=str).encode())
                    first = False
            else:
                target.write(frame.to_csv(index=False, header=first).encode())
                first = False
        if job.case == "json":
            target.write(b"]")


def _write_parquet(source: pq.ParquetFile, job: Job) -> None:
    with pq.ParquetWriter(job.target, source.schema_arrow) as writer:
        for batch in source.iter_batches(batch_size=BATCH_ROWS):
            frame = batch.to_pandas()
            frame = frame[frame["quantity"] >= QUANTITY]
            writer.write_table(pa.Table.from_pandas(frame, schema=source.schema_arrow, preserve_index=False))
