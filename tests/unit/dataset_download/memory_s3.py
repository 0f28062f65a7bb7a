"""An in-memory bucket with the S3 operations that the engine uses: ranges, conditions, listings, injected faults."""

import hashlib
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Self

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from botocore.exceptions import ClientError

from dataset_download.datasets.dataset import Dataset, Store, open_dataset
from dataset_download.formats.format import Format
from dataset_download.planning.plan import Plan, Reading, make_plan
from dataset_download.query.parameters import Query, parse_query
from dataset_download.reading.result_stream import Download, start_download

ORGANISATION = "organisation-entity"
WRITTEN = datetime(2026, 5, 31, tzinfo=UTC)

type Pairs = list[tuple[str, str]]


class Body(io.BytesIO):
    """An answer's body, which may end early."""


class MemoryS3:
    """Stands for a boto3 client."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, int]] = []
        self.before_get: Callable[[str, int], None] = lambda key, number: None
        """Called with the key and the number of the request, from 1; may raise or change objects."""
        self.cut: dict[int, int] = {}
        """Of which answers (by number) only so many bytes come."""
        self.quick: Any = None
        """A SignedS3Reader, or what stands for one."""

    def put_table(self, key: str, table: pa.Table, **options: Any) -> bytes:
        sink = io.BytesIO()
        pq.write_table(table, sink, **options)
        self.objects[key] = sink.getvalue()
        return self.objects[key]

    def get_object(self, *, Bucket: str, Key: str, Range: str, IfMatch: str | None = None) -> dict[str, Any]:  # noqa: N803
        number = len(self.requests) + 1
        self.requests.append((Key, 0))
        self.before_get(Key, number)
        if Key not in self.objects:
            raise make_error("NoSuchKey", 404)
        data = self.objects[Key]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        if IfMatch not in (None, etag):
            raise make_error("PreconditionFailed", 412)
        first, _, last = Range.removeprefix("bytes=").partition("-")
        start, end = (
            (int(first), min(len(data), int(last) + 1)) if first else (max(0, len(data) - int(last)), len(data))
        )
        if start >= end:
            raise make_error("InvalidRange", 416)
        body = data[start:end][: self.cut.get(number)]
        self.requests[number - 1] = (Key, len(body))
        content_range = f"bytes {start}-{end - 1}/{len(data)}"
        return {"ETag": etag, "LastModified": WRITTEN, "ContentRange": content_range, "Body": Body(body)}

    def get_paginator(self, _: str) -> Self:
        return self

    def paginate(
        self,
        *,
        Bucket: str,  # noqa: N803
        Prefix: str,  # noqa: N803
        Delimiter: str = "",  # noqa: N803
        StartAfter: str = "",  # noqa: N803
        PaginationConfig: object = None,  # noqa: N803
    ) -> Iterator[dict[str, Any]]:
        for key in sorted(key for key in self.objects if key.startswith(Prefix) and key > StartAfter):
            end = key.find(Delimiter, len(Prefix)) if Delimiter else -1
            if end >= 0:
                yield {"CommonPrefixes": [{"Prefix": key[: end + 1]}]}
                continue
            data = self.objects[key]
            etag = f'"{hashlib.md5(data).hexdigest()}"'
            yield {"Contents": [{"Key": key, "Size": len(data), "ETag": etag, "LastModified": WRITTEN}]}

    def open(self, name: str = "data", prefix: str = "") -> Dataset:
        return open_dataset(Store(self, "bucket", prefix, self.quick), name)  # type: ignore[arg-type]

    def plan(self, pairs: Pairs, name: str = "data", reading: Reading | None = None) -> Plan:
        dataset = self.open(name)
        query: Query = parse_query(pairs, dataset.comparison_schema, organisation_column=ORGANISATION)
        return make_plan(dataset, query, reading or Reading())

    def start(self, format_: str, pairs: Pairs | None = None, reading: Reading | None = None) -> Download:
        return start_download(self.plan(pairs or [], reading=reading), Format(format_))

    def download(self, format_: str, pairs: Pairs | None = None, reading: Reading | None = None) -> bytes:
        return b"".join(self.start(format_, pairs, reading))

    def bytes_read(self) -> int:
        return sum(size for _, size in self.requests)


def make_error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]


def put(table: pa.Table, **options: Any) -> MemoryS3:
    """Return a bucket with one dataset, `data`."""
    store = MemoryS3()
    store.put_table("data.parquet", table, **options)
    return store


def read_back(data: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(data))
