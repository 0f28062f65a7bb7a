"""Fixtures: the application with moto's S3 and a few datasets."""

import dataclasses
import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import boto3
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from moto import mock_aws
from starlette.types import ASGIApp

from dataset_download import clients
from dataset_download.aws_clients import get_session
from dataset_download.http.application import create_app
from dataset_download.logs import make_logger
from dataset_download.s3_get import SignedS3Reader
from dataset_download.service import Service, make_service

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")
ENVIRONMENT = {
    "DATASET_BUCKET": "data",
    "EXPORT_BUCKET": "exports",
    "STREAM_LIMIT_MB": "0",
    "PUBLIC_BASE_URL": "https://data.example.org",
}
ROWS = 3000


def make_customers(rows: int = ROWS) -> pa.Table:
    """Return a table of a hundred rows for each organisation, with what HTML, CSV and URLs trip over."""
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "organisation-entity": [f"org-{number // 100}" for number in range(rows)],
            "name": [f'Customer {number} <b>&"é"' for number in range(rows)],
            "since": pa.array([date(2020, 1, 1)] * rows, pa.date32()),
            "limit": pa.array([number % 5 for number in range(rows)], pa.int32()),
            "note": pa.array([None if number % 2 else "a\nb" for number in range(rows)], pa.string()),
        }
    )


class Aws:
    """The buckets."""

    def __init__(self) -> None:
        self.s3 = SESSION.client("s3")
        for bucket in ("data", "exports"):
            self.s3.create_bucket(Bucket=bucket)

    def put(self, key: str, table: pa.Table, **options: Any) -> None:
        """Write a table as a dataset's object."""
        file = io.BytesIO()
        pq.write_table(table, file, **options)
        self.s3.put_object(Bucket="data", Key=key, Body=file.getvalue())

    def list_exports(self) -> list[str]:
        """Return the keys in the export bucket."""
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="exports").get("Contents", [])]

    def list_uploads(self) -> int:
        """Return how many multipart uploads are unfinished."""
        return len(self.s3.list_multipart_uploads(Bucket="exports").get("Uploads", []))


@pytest.fixture(scope="module")
def cloud() -> Iterator[Aws]:
    """Give moto's S3; all of the package's clients are moto's."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in zip(names, ("testing", "testing", "us-east-1"), strict=True):
            patch.setenv(name, value)
        # moto answers boto3, not bare HTTP: every read takes the careful way here.
        for name in ("get", "get_tail"):
            patch.setattr(SignedS3Reader, name, lambda *_: None)
        forget_clients()
        yield Aws()
    forget_clients()


def forget_clients() -> None:
    """Have clients made anew."""
    for make_client in (get_session, clients.get_s3, clients.get_signed_reader):
        make_client.cache_clear()


@pytest.fixture
def aws(cloud: Aws) -> Aws:
    """Give moto's S3 with one dataset and no exports."""
    for bucket in ("data", "exports"):
        for item in cloud.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            cloud.s3.delete_object(Bucket=bucket, Key=item["Key"])
    cloud.put("customers.parquet", make_customers(), row_group_size=500)
    return cloud


type MakeService = Callable[..., Service]


@pytest.fixture
def make(aws: Aws) -> MakeService:
    """Give a maker of services: settings as in the environment, but for the given ones (in bytes and seconds)."""

    def make_one(*, buffered: bool = False, **changes: Any) -> Service:
        service = make_service(ENVIRONMENT, buffered=buffered)
        settings = dataclasses.replace(service.settings, **changes)
        return dataclasses.replace(service, settings=settings, exports=service.exports if settings.exports else None)

    return make_one


@pytest.fixture
def app(make: MakeService) -> ASGIApp:
    """Give the application, which streams whatever the size."""
    return create_app(make())


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Give what was printed since it was last asked for, and what was logged: its stream is another test's."""
    logger = logging.getLogger("dataset_download")
    make_logger(logger.name)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger.handlers[0].formatter)
    logger.addHandler(handler)

    def read() -> str:
        logged = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return capsys.readouterr().out + "\n" + logged

    yield read
    logger.removeHandler(handler)


def read_events(output: str, event: str) -> list[dict[str, Any]]:
    """Return the logged events of a name from what was printed."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == event]


def read_metrics(output: str) -> dict[str, float]:
    """Return the sums of the printed metrics."""
    sums: dict[str, float] = {}
    for line in output.splitlines():
        document = json.loads(line) if line.startswith("{") else {}
        for group in document.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in group["Metrics"]:
                value = document[metric["Name"]]
                sums[metric["Name"]] = sums.get(metric["Name"], 0) + (sum(value) if isinstance(value, list) else value)
    return sums
