"""Handlers that fail, under moto, and print their output: `python -m tests.infra.support.failing_runs PREFIX`.

A process of its own, so that all of its output is theirs: metrics in the embedded format, and log lines.
"""

import json
import os
import sys
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

from csv_streamer import app as csv_streamer
from dataset_download.telemetry import emit_metrics
from tests.support.aws_events import s3_event, sqs_record
from tests.support.lambda_context import Context
from tests.unit.csv_streamer.conftest import Context as CsvContext
from tests.unit.zip_worker.conftest import Aws, NoSignedReader
from tests.unit.zip_worker.conftest import Context as ZipContext
from xapi_etl import app as xapi_etl
from zip_worker import app as zip_worker

STATEMENT = b'{"actor": {"mbox": "m"}, "verb": {"id": "v"}, "object": {"id": "o"}}\n'
CLOSED = "http://127.0.0.1:9"
"""A port that nobody listens at."""


def name_function(context: Any, name: str) -> Any:
    """The function's name is what tells deployments' metrics apart."""
    context._function_name = name
    return context


def fail_a_file_and_a_run(prefix: str) -> None:
    os.environ |= {"BUCKET_NAME": "csv", "ALLOW_PRIVATE_HOSTS": "true", "MAX_ATTEMPTS": "1"}
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="csv")
    context = name_function(CsvContext(), f"{prefix}-csv-streamer")
    csv_streamer.lambda_handler({}, context)  # there are no parameters
    s3.put_object(Bucket="csv", Key="config/parameters.json", Body=json.dumps({"file_urls": [f"{CLOSED}/a.csv"]}))
    csv_streamer.lambda_handler({}, context)


def fail_objects_lines_and_inserts(prefix: str) -> None:
    os.environ |= {"CLICKHOUSE_URL": CLOSED, "CLICKHOUSE_DATABASE": "xapi", "CLICKHOUSE_TABLE": "statements"}
    os.environ |= {"CLICKHOUSE_MAX_ATTEMPTS": "1"}
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="lrs")
    s3.put_object(Bucket="lrs", Key="bad.jsonl", Body=b"this is no statement\n")
    s3.put_object(Bucket="lrs", Key="good.jsonl", Body=STATEMENT)
    context = Context(f"{prefix}-xapi-etl")
    for key in ("missing.jsonl", "bad.jsonl", "good.jsonl"):
        xapi_etl.lambda_handler({"Records": [sqs_record(s3_event("lrs", key))]}, context)


def fail_downloads_and_exports(prefix: str) -> None:
    os.environ["AWS_LAMBDA_FUNCTION_NAME"] = f"{prefix}-dataset-download"
    emit_metrics(Downloads=0, RowsSent=1, BytesSent=1, DownloadsFailed=1)
    os.environ["AWS_LAMBDA_FUNCTION_NAME"] = f"{prefix}-dataset-export"
    emit_metrics(ExportsFailed=1)


def fail_jobs() -> None:
    aws = Aws()
    os.environ |= {"TABLE_NAME": "jobs", "QUEUE_URL": aws.queue_url}
    for number in range(3):
        aws.put_job(f"job-{number}", keys=["missing.pdf"])
        aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody=json.dumps({"jobId": f"job-{number}"}))
        message = aws.sqs.receive_message(QueueUrl=aws.queue_url)["Messages"][0]
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        zip_worker.lambda_handler({"Records": [record]}, ZipContext())


def main() -> None:
    (prefix,) = sys.argv[1:]
    # moto answers boto3, not bare HTTP.
    with mock_aws(), patch.object(zip_worker, "signed_reader", lambda *_: NoSignedReader()):
        fail_a_file_and_a_run(prefix)
        fail_objects_lines_and_inserts(prefix)
        fail_downloads_and_exports(prefix)
        fail_jobs()


if __name__ == "__main__":
    main()
