"""The signed reader: its responses are used, and all else falls back to boto3."""

from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError

from dataset_download.exceptions import DatasetNotFoundError, ObjectChangedError, SourceUnreadableError
from dataset_download.s3_get import Answer, MissingObjectError
from tests.unit.dataset_download.memory_s3 import MemoryS3, make_error, put

TABLE = pa.table({"number": range(50_000), "text": [f"row {number}" for number in range(50_000)]})


class QuickWay:
    """Stands for a SignedS3Reader over a bucket in memory."""

    def __init__(self, store: MemoryS3) -> None:
        self.behind = store
        self.asked: list[str] = []
        self.fails = False

    def get(self, bucket: str, key: str, headers: dict[str, str], length: int) -> Answer | None:
        answer = self._ask(bucket, key, headers["Range"], headers["If-Match"])
        return answer if isinstance(answer, Answer) and len(answer.data) == length else None

    def get_tail(self, bucket: str, key: str, length: int) -> Answer | None:
        answer = self._ask(bucket, key, f"bytes=-{length}")
        if answer is HTTPStatus.NOT_FOUND:
            raise MissingObjectError(key)
        return answer if isinstance(answer, Answer) else None

    def _ask(self, bucket: str, key: str, range_: str, etag: str | None = None) -> Answer | HTTPStatus:
        self.asked.append(key)
        if self.fails:
            return HTTPStatus.SERVICE_UNAVAILABLE
        try:
            answer = self.behind.get_object(Bucket=bucket, Key=key, Range=range_, IfMatch=etag)
        except ClientError as error:
            return HTTPStatus(error.response["ResponseMetadata"]["HTTPStatusCode"])
        headers = {"ETag": answer["ETag"], "Last-Modified": format_datetime(answer["LastModified"], usegmt=True)}
        return Answer(answer["Body"].read(), int(answer["ContentRange"].rpartition("/")[2]), headers)


def put_behind_both_ways() -> tuple[MemoryS3, QuickWay]:
    """Return a bucket with one dataset as boto3's client sees it, and the quick way to the same objects."""
    store, behind = put(TABLE, row_group_size=10_000), MemoryS3()
    behind.objects = store.objects
    store.quick = QuickWay(behind)
    return store, store.quick


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_what_the_quick_way_brings_is_what_boto3_would(format_: str) -> None:
    expected = put(TABLE, row_group_size=10_000).download(format_)
    store, quick = put_behind_both_ways()
    assert store.download(format_) == expected
    assert quick.asked
    assert store.requests == []


def test_quick_requests_are_counted_like_others() -> None:
    store, quick = put_behind_both_ways()
    download = store.start("csv")
    list(download)
    assert download.requests == len(quick.asked) - 1, "all but the one that opened the dataset"
    assert download.bytes_read == quick.behind.bytes_read() - quick.behind.requests[0][1]


def test_file_is_described_as_boto3_describes_it() -> None:
    store, quick = put_behind_both_ways()
    dataset = store.open()
    quick.fails = True
    assert dataset.files == store.open().files


def test_what_the_quick_way_does_not_bring_comes_from_boto3() -> None:
    expected = put(TABLE).download("csv")
    store, quick = put_behind_both_ways()
    quick.fails = True
    assert store.download("csv") == expected
    assert len(store.requests) == len(quick.asked), "each asked once, then carefully"


def test_file_that_is_overwritten_meanwhile_breaks_the_download() -> None:
    store, _ = put_behind_both_ways()
    download = store.start("csv")
    store.put_table("data.parquet", TABLE.slice(1))
    with pytest.raises(ObjectChangedError):
        list(download)


def test_store_that_does_not_heed_conditions_is_found_out() -> None:
    store, quick = put_behind_both_ways()
    download = store.start("csv")
    store.put_table("data.parquet", TABLE.slice(1))
    heeds = quick.behind.get_object

    def get_object(*, IfMatch: str | None = None, **options: Any) -> dict[str, Any]:  # noqa: N803
        return heeds(**options)

    quick.behind.get_object = get_object  # type: ignore[method-assign]
    with pytest.raises(ObjectChangedError):
        list(download)


def test_folder_costs_no_second_look_for_a_file() -> None:
    store, quick = put_behind_both_ways()
    store.objects["data/part.parquet"] = store.objects.pop("data.parquet")
    assert store.open().row_count == TABLE.num_rows
    assert quick.asked == ["data.parquet", "data/part.parquet"]
    assert store.requests == []


def test_missing_dataset_is_a_clear_error() -> None:
    store, _ = put_behind_both_ways()
    with pytest.raises(DatasetNotFoundError, match="none"):
        store.open("none")


def test_refusal_is_explained_by_boto3() -> None:
    store, quick = put_behind_both_ways()
    quick.fails = True

    def refuse(*_: Any) -> None:
        raise make_error("AccessDenied", 403)

    store.before_get = refuse
    with pytest.raises(SourceUnreadableError, match="AccessDenied"):
        store.open()
