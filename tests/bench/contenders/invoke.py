"""Calls a handler as Lambda does, in its own process: `python -m tests.bench.contenders.invoke MODULE EVENT OUT`.

OUT gets the seconds from the call to its return, as JSON, with what the handler returned and how much it asked of
DynamoDB and SQS through boto3 (S3's requests are counted where they arrive). Imports come before, as they do in
Lambda's init phase.
"""

import importlib
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

_ARGUMENTS = 4
_WRITES = {"PutItem": 1, "UpdateItem": 1, "DeleteItem": 1}
_READS = {"GetItem": 1, "Query": 1}


@dataclass
class Context:
    """What handlers use of Lambda's context."""

    aws_request_id: str = "00000000-0000-4000-8000-000000000001"
    function_name: str = "bench"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    function_version: str = "$LATEST"
    log_group_name: str = "/aws/lambda/bench"
    log_stream_name: str = "bench"
    seconds: float = 600.0
    started: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the time limit."""
        return int((self.started + self.seconds - time.monotonic()) * 1000)


def count_units(service: str, operation: str, parameters: Any) -> dict[str, int]:
    """Return what a call is billed as; items are taken to have at most 1 KB, reads to be strongly consistent."""
    if service == "sqs":
        return {"SQS": 1}
    if service != "dynamodb":
        return {}
    if operation == "TransactWriteItems":
        # Twice: prepared, then committed.
        return {"DynamoDBWrite": 2 * len(parameters["TransactItems"])}
    return {"DynamoDBWrite": _WRITES.get(operation, 0), "DynamoDBRead": _READS.get(operation, 0)}


def count_calls() -> Counter[str]:
    """Return a count that grows with each call of any boto3 client of this process."""
    counts: Counter[str] = Counter()
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # the one place through which all calls go

    def count(client: BaseClient, operation: str, parameters: Any) -> Any:
        counts.update(count_units(client.meta.service_model.service_name, operation, parameters))
        return call(client, operation, parameters)

    BaseClient._make_api_call = count  # type: ignore[attr-defined]
    return counts


def main() -> int:
    """Run; returns the exit status."""
    if len(sys.argv) != _ARGUMENTS:
        print("usage: python -m tests.bench.contenders.invoke MODULE EVENT OUT", file=sys.stderr)
        return 2
    module, event, target = sys.argv[1:]
    handler = importlib.import_module(module).lambda_handler
    content = json.loads(Path(event).read_text())
    counts = count_calls()
    started = time.perf_counter()
    result = handler(content, Context())
    seconds = time.perf_counter() - started
    Path(target).write_text(json.dumps({"seconds": seconds, "result": result, "calls": +counts}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
