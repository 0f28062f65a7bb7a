"""Messages as S3, SNS and people send them, and an invocation's context."""

import json
import uuid
from typing import Any
from urllib.parse import quote_plus

from aws_lambda_powertools.utilities.typing import LambdaContext


class Context(LambdaContext):
    """What the runtime tells a function about its invocation."""

    _function_name = "xapi-etl"
    _memory_limit_in_mb = 1024
    _invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:xapi-etl"
    _aws_request_id = "request-1"

    def __init__(self, remaining_ms: int = 120_000) -> None:
        self.remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # a static method there
        return self.remaining_ms


def s3_record(
    bucket: str, key: str, size: int = 1, version_id: str | None = None, name: str = "ObjectCreated:Put"
) -> dict[str, Any]:
    item = {"key": quote_plus(key), "size": size, "sequencer": uuid.uuid4().hex[:16].upper()}
    if version_id:
        item["versionId"] = version_id
    return {"eventName": name, "eventSource": "aws:s3", "s3": {"bucket": {"name": bucket}, "object": item}}


def s3_event(bucket: str, key: str, size: int = 1, version_id: str | None = None) -> str:
    return json.dumps({"Records": [s3_record(bucket, key, size, version_id)]})


def sqs_record(body: str, receives: int = 1, message_id: str | None = None) -> dict[str, Any]:
    return {
        "messageId": message_id or str(uuid.uuid4()),
        "receiptHandle": "receipt",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:xapi-etl",
    }
