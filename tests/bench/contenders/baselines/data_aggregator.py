"""The reference algorithm of the data aggregator: objects read one after another into one gzip file, uploaded whole.

Its idempotency is left out: one record after another in DynamoDB would only make it slower.
"""

import gzip
import json
import os
import uuid
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config

_CHUNK_BYTES = 1024 * 1024
_SPOOL_BYTES = 8 * 1024 * 1024


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Bundle the objects that the messages name."""
    client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    now = datetime.now(UTC)
    bundle = f"{now:%Y/%m/%d/%H}/bundle-bench-{uuid.uuid4().hex[:8]}.gz"
    with SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
        with gzip.GzipFile(fileobj=spool, mode="wb", compresslevel=6) as packed:
            for message in event["Records"]:
                for record in json.loads(message["body"])["Records"]:
                    entity = record["s3"]
                    key = unquote_plus(entity["object"]["key"])
                    body = client.get_object(Bucket=entity["bucket"]["name"], Key=key)["Body"]
                    for chunk in body.iter_chunks(_CHUNK_BYTES):
                        packed.write(chunk)
        spool.seek(0)
        client.upload_fileobj(spool, os.environ["DISTRIBUTION_BUCKET_NAME"], bundle)
    return {"batchItemFailures": []}
