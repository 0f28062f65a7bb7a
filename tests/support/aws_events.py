"""S3 notifications and SQS records as AWS sends them."""

import json
import uuid
from typing import Any
from urllib.parse import quote_plus


def s3_record(
    bucket: str, key: str, size: int = 1, etag: str = "", version_id: str | None = None, name: str = "ObjectCreated:Put"
) -> dict[str, Any]:
    """Return one record of an S3 notification."""
    item = {"key": quote_plus(key), "size": size, "sequencer": uuid.uuid4().hex[:16].upper()}
    if etag:
        item["eTag"] = etag.strip('"')
    if version_id:
        item["versionId"] = version_id
    return {"eventName": name, "eventSource": "aws:s3", "s3": {"bucket": {"name": bucket}, "object": item}}


def s3_event(bucket: str, key: str, size: int = 1, etag: str = "", version_id: str | None = None) -> str:
    """Return the body of an S3 notification about one object."""
    return json.dumps({"Records": [s3_record(bucket, key, size, etag, version_id)]})


def sqs_record(body: str, receives: int = 1, message_id: str | None = None, queue: str = "xapi-etl") -> dict[str, Any]:
    """Return a record of an SQS event as an event source mapping delivers it."""
    return {
        "messageId": message_id or str(uuid.uuid4()),
        "receiptHandle": "receipt",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
    }
