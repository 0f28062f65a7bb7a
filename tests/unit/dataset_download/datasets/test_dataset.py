"""Datasets of single files and of folders with partitions, in moto's S3."""

import io
import json
from collections.abc import Iterator
from datetime import date

import boto3
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from moto import mock_aws
from mypy_boto3_s3 import S3Client

from dataset_download.datasets.dataset import Store, open_dataset
from dataset_download.datasets.listing import ListingEntry, fill, list_names
from dataset_download.exceptions import (
    CorruptDatasetError,
    DatasetNotFoundError,
    ObjectChangedError,
    SourceUnreadableError,
)
from dataset_download.formats.format import Format
from dataset_download.pages.overview import describe_columns, preview
from dataset_download.parquet.footer_cache import FooterCache
from dataset_download.planning.plan import Plan, Reading, make_plan
from dataset_download.query.parameters import parse_query
from dataset_download.reading.result_stream import start_download
from dataset_download.s3.objects import DataFile
from tests.unit.dataset_download.memory_s3 import WRITTEN, MemoryS3, Pairs, put, read_back

BUCKET = "datasets"


@pytest.fixture
def s3() -> Iterator[S3Client]:
    with mock_aws():
        client = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        client.create_bucket(Bucket=BUCKET)
        yield client


def make_parquet(**columns: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def put_object(s3: S3Client, key: str, body: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def make(store: Store, name: str, pairs: Pairs) -> Plan:
    dataset = open_dataset(store, name)
    return make_plan(
        dataset, parse_query(pairs, dataset.comparison_schema, organisation_column="organisation-entity"), Reading()
    )


def download(store: Store, name: str, pairs: Pairs, format_: Format = Format.JSON) -> bytes:
    return b"".join(start_download(make(store, name, pairs), format_))


def test_a_file_is_a_dataset(s3: S3Client) -> None:
    put_object(s3, "in/trees.parquet", make_parquet(id=[1, 2], name=["elm", "oak"]))
    store = Store(s3, BUCKET, "in/")
    dataset = open_dataset(store, "trees")
    assert dataset.row_count == 2
    assert dataset.is_single_object
    assert dataset.files[0].etag == s3.head_object(Bucket=BUCKET, Key="in/trees.parquet")["ETag"]
    assert dataset.total_bytes == s3.head_object(Bucket=BUCKET, Key="in/trees.parquet")["ContentLength"]
    assert json.loads(download(store, "trees", [("id__gt", "1")])) == [{"id": 2, "name": "oak"}]


def test_a_name_that_is_no_dataset_is_not_found(s3: S3Client) -> None:
    put_object(s3, "in/trees.parquet", make_parquet(id=[1]))
    for name in ("tree", "in", "trees.parquet", "trees/"):
        with pytest.raises(DatasetNotFoundError):
            open_dataset(Store(s3, BUCKET, "in/"), name)


def test_an_object_without_content_is_corrupt(s3: S3Client) -> None:
    put_object(s3, "trees.parquet", b"")
    with pytest.raises(CorruptDatasetError, match=r"is empty|has 0 bytes"):
        open_dataset(Store(s3, BUCKET), "trees")


def test_a_bucket_that_does_not_exist_is_unreadable(s3: S3Client) -> None:
    for call in (list_all, lambda store: open_dataset(store, "trees")):
        with pytest.raises(SourceUnreadableError):
            call(Store(s3, "other"))


def test_an_overwritten_object_is_noticed_by_s3_s_condition(s3: S3Client) -> None:
    put_object(s3, "trees.parquet", make_parquet(id=list(range(100_000))))
    plan = make(Store(s3, BUCKET), "trees", [])
    put_object(s3, "trees.parquet", make_parquet(id=list(range(100_001))))
    with pytest.raises(ObjectChangedError):
        next(start_download(plan, Format.CSV))


def test_listings_know_files_and_folders_but_nothing_hidden(s3: S3Client) -> None:
    body = make_parquet(id=[1])
    for key in ("b.parquet", "a/year=1/x.parquet", "a/year=2/x.parquet", "c/_delta/x.parquet", "_d.parquet",
                ".e.parquet", "f.csv", "g/readme.md", "b/old.parquet", ".parquet", "h/.hidden/x.parquet"):  # fmt: skip
        put_object(s3, f"in/{key}", body)
    put_object(s3, "elsewhere.parquet", body)
    found = list_all(Store(s3, BUCKET, "in/"))
    assert [(each.name, len(each.files), each.size) for each in found] == [("a", 2, 2 * len(body)), ("b", 1, len(body))]


def test_listings_go_on_after_a_name_in_the_order_of_keys(s3: S3Client) -> None:
    names = ["a", "a-b", "a0", "a_", "ab", "b"]
    for name in names:
        put_object(s3, f"{name}/x.parquet" if name in {"a", "ab"} else f"{name}.parquet", b"")
    put_object(s3, "a/\u00e9.parquet", b"")  # after every ASCII name in the folder
    put_object(s3, "a.x.parquet", b"")  # no dataset can have this name
    store = Store(s3, BUCKET)
    found = [each.name for each in list_all(store)]
    assert sorted(found) == sorted(names)
    for place, name in enumerate(found):
        assert [each.name for each in list_all(store, name)] == found[place + 1 :]


def list_all(store: Store, after: str = "") -> list[ListingEntry]:
    filled = [fill(store, *found) for found in list_names(store, after)]
    return [each for each in filled if each]


def test_an_etag_follows_the_content(s3: S3Client) -> None:
    put_object(s3, "a/1.parquet", make_parquet(id=[1]))
    store = Store(s3, BUCKET)
    before = open_dataset(store, "a").etag
    assert open_dataset(store, "a").etag == before
    put_object(s3, "a/2.parquet", make_parquet(id=[2]))
    assert open_dataset(store, "a").etag != before


def put_partitions(s3: S3Client) -> Store:
    for year, region, count in (
        (2023, "north", 3),
        (2024, "north", 2),
        (2024, "__HIVE_DEFAULT_PARTITION__", 1),
        (2024, "a%20b", 4),
    ):
        put_object(s3, f"sales/year={year}/region={region}/part.parquet", make_parquet(n=list(range(count))))
    return Store(s3, BUCKET)


def test_partitions_are_columns(s3: S3Client) -> None:
    store = put_partitions(s3)
    dataset = open_dataset(store, "sales")
    assert dataset.schema.names == ["n", "year", "region"]
    assert dataset.schema.field("year").type == pa.int64()
    assert dataset.schema.field("region").type == pa.string()
    assert dataset.row_count == 10
    assert not dataset.is_single_object
    rows = json.loads(download(store, "sales", []))
    assert len(rows) == 10
    assert rows[0] == {"n": 0, "year": 2023, "region": "north"}
    assert {row["region"] for row in rows} == {"north", None, "a b"}


def test_partitions_are_pruned_and_counted_by_their_paths(s3: S3Client) -> None:
    store = put_partitions(s3)
    plan = make(store, "sales", [("year", "2024"), ("region", "a b")])
    assert plan.row_count == 4
    assert len(plan.groups) == 1
    assert make(store, "sales", [("region__isnull", "true")]).row_count == 1
    assert make(store, "sales", [("year__lt", "2000")]).row_count == 0
    assert json.loads(download(store, "sales", [("region__contains", " "), ("n__gt", "1")])) == [
        {"n": 2, "year": 2024, "region": "a b"},
        {"n": 3, "year": 2024, "region": "a b"},
    ]


def test_partition_columns_alone_need_no_reading(s3: S3Client) -> None:
    store = put_partitions(s3)
    body = download(store, "sales", [("select", "region,year"), ("year", "2023")], Format.CSV)
    assert body == b"region,year\nnorth,2023\nnorth,2023\nnorth,2023\n"


def test_a_folder_is_one_parquet_file(s3: S3Client) -> None:
    table = read_back(download(put_partitions(s3), "sales", [], Format.PARQUET))
    assert table.num_rows == 10
    assert table.column("region").null_count == 1


def test_dates_are_typed_and_mixed_texts_stay_text(s3: S3Client) -> None:
    for day, code in (("2024-01-01", "7"), ("2024-01-02", "07")):
        put_object(s3, f"days/day={day}/code={code}/x.parquet", make_parquet(n=[1]))
    dataset = open_dataset(Store(s3, BUCKET), "days")
    assert dataset.schema.field("day").type == pa.date32()
    assert dataset.partition_values[0] == (date(2024, 1, 1), "7")
    assert dataset.schema.field("code").type == pa.string()


def test_a_column_in_the_files_wins_over_the_path(s3: S3Client) -> None:
    put_object(s3, "sales/year=2024/x.parquet", make_parquet(year=["from the file"]))
    assert json.loads(download(Store(s3, BUCKET), "sales", [])) == [{"year": "from the file"}]


def test_files_partitioned_differently_are_refused(s3: S3Client) -> None:
    put_object(s3, "a/x=1/1.parquet", make_parquet(id=[1]))
    put_object(s3, "a/y=1/1.parquet", make_parquet(id=[1]))
    with pytest.raises(CorruptDatasetError, match="partitioned by different columns"):
        open_dataset(Store(s3, BUCKET), "a")


def test_remembered_footers_are_bounded() -> None:
    store = MemoryS3()
    cache = FooterCache(limit=3_000)
    files = []
    for number in range(20):
        store.put_table(f"{number}.parquet", pa.table({"id": [number]}))
        dataset = store.open(str(number))
        files.append(dataset.files[0])
        cache.put("bucket", dataset.files[0], dataset.footers[0])
    kept = [file for file in files if cache.get("bucket", file) is not None]
    assert files[-1] in kept
    assert len(kept) < 10
    assert cache.get("bucket", DataFile(files[-1].key, 1, '"another"', WRITTEN)) is None


def test_columns_are_described_from_metadata_alone() -> None:
    store = put(
        pa.table(
            {
                "text": ["b", None, "a"],
                "number": pa.array([3, 1, 2], pa.uint32()),
                "moment": pa.array([0, 10**15, None], pa.timestamp("us", "UTC")),
                "tags": [["x"], [], None],
                "nothing": pa.nulls(3, pa.int64()),
            }
        ),
        row_group_size=2,
    )
    dataset = store.open()
    asked = len(store.requests)
    found = {each.name: each for each in describe_columns(dataset)}
    assert len(store.requests) == asked
    assert (found["text"].minimum, found["text"].maximum, found["text"].nulls) == ("a", "b", 1)
    assert (found["number"].minimum, found["number"].maximum, found["number"].type) == ("1", "3", "whole number")
    assert (found["moment"].maximum, found["moment"].type) == ("2001-09-09T01:46:40.000000Z", "timestamp in UTC")
    assert (found["tags"].type, found["tags"].filterable, found["tags"].sortable) == ("list of text", False, False)
    assert (found["nothing"].nulls, found["nothing"].minimum) == (3, None)


def test_a_preview_reads_little_and_shows_text() -> None:
    rows = 160_000
    store = put(
        pa.table({"id": range(rows), "noise": [f"{number * 7919}" * 5 for number in range(rows)]}), compression="none"
    )
    dataset = store.open()
    shown = preview(dataset, 3)
    assert shown.columns == ("id", "noise")
    assert shown.rows == (("0", "00000"), ("1", "79197919791979197919"), ("2", "1583815838158381583815838"))
    assert store.bytes_read() < len(store.objects["data.parquet"]) / 2


def test_a_preview_shows_nulls_nested_values_and_quotes() -> None:
    store = put(pa.table({"a": [None, 'say "x", y'], "b": [[1, None], None]}))
    assert preview(store.open()).rows == ((None, "[1,null]"), ('say "x", y', None))
