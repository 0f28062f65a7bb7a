"""Runs the real handler on objects, under a memory limit, and prints their outcomes and the peak.

The object's bodies come from a folder; ``argv``: the folder, then the memory limit of the address space, bytes.
"""

import json
import resource
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from tests.support.aws_events import sqs_record
from tests.support.lambda_context import Context

BUCKET = "statements"


def read_peak() -> int:
    """Return the highest resident size since the last reset, in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) // 1024


class FileBody:
    """A response body that is read from a file, instead of moto's in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data

    def close(self) -> None:
        return


def serve_files(folder: Path) -> Any:
    """Replacement for S3's GetObject that reads only the requested range from a file."""

    def get_object(**options: Any) -> dict[str, Any]:
        path = folder / options["Key"].rpartition("/")[2]
        size = path.stat().st_size
        start, end = (int(number) for number in options["Range"].removeprefix("bytes=").split("-"))
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(min(end, size - 1) - start + 1)
        return {
            "Body": FileBody(data),
            "ContentLength": len(data),
            "ContentRange": f"bytes {start}-{start + len(data) - 1}/{size}",
            "ETag": f'"{path.name}-{size}"',
            "LastModified": datetime(2026, 1, 1, tzinfo=UTC),
        }

    return get_object


def main() -> None:
    folder, limit = Path(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # Imported after the limit is set.
    from xapi_etl import app, clients  # noqa: PLC0415
    from xapi_etl.aws_clients import get_session  # noqa: PLC0415
    from xapi_etl.loading import wiring  # noqa: PLC0415

    with mock_aws():
        s3 = get_session().client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.get_object = serve_files(folder)  # type: ignore[method-assign]
        clients.s3_client.cache_clear()
        wiring.s3_client = lambda *_: s3  # type: ignore[attr-defined, assignment]
        keys = sorted(path.name for path in folder.iterdir())
        records = [
            sqs_record(json.dumps({"bucket": BUCKET, "key": f"statements/{key}"}), message_id=key) for key in keys
        ]
        started = read_peak()
        answer = app.lambda_handler({"Records": records}, Context("xapi-etl", 600_000))
    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    print(
        json.dumps({"start_mb": started, "peak_mb": read_peak(), "failed": failed, "threads": threading.active_count()})
    )


if __name__ == "__main__":
    boto3.setup_default_session(aws_access_key_id="t", aws_secret_access_key="t", region_name="us-east-1")
    main()
