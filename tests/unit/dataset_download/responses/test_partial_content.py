"""Ranges of computed results, and results that are complete before their first byte is sent."""

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from starlette.types import ASGIApp

from dataset_download.http.application import create_app
from dataset_download.runtime.memory_budget import Memory
from tests.unit.dataset_download.asgi import call
from tests.unit.dataset_download.conftest import Aws, MakeService, make_customers, read_events

TARGET = "/customers.parquet?id__gte=100"


MIB = 1024 * 1024


@pytest.mark.parametrize("target", [TARGET, "/customers.csv", "/customers.json?limit=50", "/customers.jsonl"])
@pytest.mark.parametrize("small", [True, False])
def test_parts_are_those_of_the_whole(make: MakeService, target: str, small: bool) -> None:
    app = create_app(make(**({} if small else {"small_answer": 1000})))
    whole = call(app, target).body
    for asked, (start, end) in {
        "bytes=0-": (0, len(whole)),
        "bytes=0-0": (0, 1),
        "bytes=10-99": (10, 100),
        f"bytes={len(whole) - 4}-": (len(whole) - 4, len(whole)),
        "bytes=-8": (len(whole) - 8, len(whole)),
        "bytes=-9999999": (0, len(whole)),
        "bytes=5-9999999": (5, len(whole)),
    }.items():
        answer = call(app, target, {"Range": asked, "Accept-Encoding": "gzip"})
        assert answer.status == 206
        assert answer.body == whole[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
        assert answer.headers["content-length"] == str(end - start)
        assert answer.headers["accept-ranges"] == "bytes"


def test_a_range_beyond_the_end_is_416(app: ASGIApp) -> None:
    size = len(call(app, TARGET).body)
    answer = call(app, TARGET, {"Range": f"bytes={size}-"})
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("asked", ["bytes=", "bytes=-", "bytes=5-1", "bytes=0-1,5-6", "rows=0-1", "bytes=a-b", ""])
def test_what_is_no_single_range_is_ignored(app: ASGIApp, asked: str) -> None:
    answer = call(app, "/customers.csv?limit=2", {"Range": asked})
    assert answer.status == 200
    assert answer.body.count(b"\n") == 1 + 2 + 1  # a note holds a line break


def test_if_range_holds_for_this_answer_alone(app: ASGIApp, aws: Aws) -> None:
    first = call(app, TARGET)
    part = {"Range": "bytes=0-3"}
    assert call(app, TARGET, {**part, "If-Range": first.headers["etag"]}).status == 206
    assert call(app, TARGET, {**part, "If-Range": first.headers["last-modified"]}).status == 206
    for other in ('"other"', f"W/{first.headers['etag']}", "Mon, 01 Jan 2024 00:00:00 GMT", "nonsense"):
        assert call(app, TARGET, {**part, "If-Range": other}).status == 200
    aws.put("customers.parquet", make_customers(200))
    changed = call(app, TARGET, {**part, "If-Range": first.headers["etag"]})
    assert changed.status == 200
    assert pq.read_table(io.BytesIO(changed.body)).num_rows == 100


def test_head_of_parquet_tells_its_length(app: ASGIApp) -> None:
    head, get = call(app, TARGET, method="HEAD"), call(app, TARGET)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(get.body))
    assert head.headers["accept-ranges"] == "bytes"
    assert head.headers["etag"] == get.headers["etag"]


def test_an_answer_is_made_once_for_all_its_parts(make: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    service = make()
    app = create_app(service)
    call(app, TARGET, {"Range": "bytes=0-3"})
    reads: list[object] = []
    original = service.store.client.get_object

    def count(**named: Any) -> object:
        reads.append(named)
        return original(**named)

    monkeypatch.setattr(service.store.client, "get_object", count)
    call(app, TARGET, {"Range": "bytes=4-99"})
    assert len(reads) == 1  # the end of the file, for its ETag


def test_a_part_of_what_is_too_large_to_be_held_is_the_exports(
    make: MakeService, printed: Callable[[], str], aws: Aws
) -> None:
    app = create_app(make(stream_limit=2000))
    assert call(app, TARGET, {"Range": "bytes=0-3"}).status == 303
    head = call(app, TARGET, method="HEAD")
    assert head.status == 303
    assert "X-Amz-Signature=" in head.headers["location"]
    assert len(aws.list_exports()) == 2
    assert {event["outcome"] for event in read_events(printed(), "download")} == {"exported"}


def test_a_part_is_reported_as_one(app: ASGIApp, printed: Callable[[], str]) -> None:
    call(app, TARGET, {"Range": "bytes=0-3"})
    (event,) = read_events(printed(), "download")
    assert (event["outcome"], event["bytes"]) == ("partial", 4)


def put_repeating(aws: Aws, **options: object) -> int:
    """Write a small file that is large as CSV, and return its size."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 400, pa.int32()), pa.array(["x" * 10_000])).dictionary_decode()
    aws.put("long.parquet", pa.table({"id": range(400), "s": text}), **options)
    return int(aws.s3.head_object(Bucket="data", Key="long.parquet")["ContentLength"])


@pytest.mark.parametrize("options", [{"write_statistics": False}, {"compression": "zstd"}, {"use_dictionary": False}])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_what_turns_out_larger_than_the_limit_is_exported(
    make: MakeService, aws: Aws, encoding: str, options: dict[str, object]
) -> None:
    put_repeating(aws, **options)
    app = create_app(make(stream_limit=2 * MIB, small_answer=1000))
    answer = call(app, "/long.csv?id__gte=0", {"Accept-Encoding": encoding})
    assert answer.status == 303
    key = next(key for key in aws.list_exports() if not key.endswith(".json"))
    body = aws.s3.get_object(Bucket="exports", Key=key)["Body"].read()
    assert body.count(b"x" * 10_000) == 400
    refused = call(create_app(make(stream_limit=2 * MIB, exports=False)), "/long.csv?id__gte=0")
    assert refused.status == 413
    assert "STREAM_LIMIT_MB" in refused.json["detail"]


def test_what_is_within_the_limit_has_its_length(make: MakeService, aws: Aws) -> None:
    put_repeating(aws)
    app = create_app(make(stream_limit=20 * MIB, small_answer=1000))
    answer = call(app, "/long.csv")
    assert answer.status == 200
    assert int(answer.headers["content-length"]) == len(answer.body) > 4_000_000
    assert answer.headers["x-row-count"] == "400"
    packed = call(app, "/long.csv", {"Accept-Encoding": "gzip"})
    assert packed.body == answer.body
    assert "content-length" not in packed.headers


def test_a_limit_that_cannot_be_held_breaks_the_answer(
    make: MakeService, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_repeating(aws, write_statistics=False)
    monkeypatch.setattr("dataset_download.service._MAX_SPOOL_BYTES", 1000)
    answer = call(create_app(make(stream_limit=2 * MIB, small_answer=1000, batch_rows=10)), "/long.csv?id__gte=0")
    assert answer.status == 200
    assert not answer.is_whole
    assert 1000 < len(answer.body) <= 2 * MIB


def test_lambda_never_streams_what_it_would_cut_off(make: MakeService) -> None:
    service = make(in_lambda=True)
    assert service.stream_limit is not None
    assert service.stream_limit < 200_000_000
    assert service.buffers_results
    # What is left of the function's time at 2 MB/s is too little for the answer.
    assert service.find_transferable_bytes(5) == 16_000_000


def test_the_tag_is_the_same_in_a_function_of_another_size(make: MakeService) -> None:
    larger = create_app(make(memory=Memory.of(1024 * MIB)))
    assert call(larger, TARGET).headers["etag"] == call(create_app(make()), TARGET).headers["etag"]
