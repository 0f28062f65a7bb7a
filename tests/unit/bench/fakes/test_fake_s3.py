"""The stand-in for S3, as boto3 sees it."""

import base64
import zlib
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sample_files.bodies import RandomBody, read_all
from tests.bench.fakes.fake_s3_client import FakeS3Client

MIB = 1024 * 1024
CONTENT = read_all(RandomBody("1", 6 * MIB + 7))


@pytest.fixture
def s3(fake_s3: FakeS3Client) -> Any:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return session.client("s3", endpoint_url=f"http://127.0.0.1:{fake_s3.port}", config=config)


def test_small_object_can_be_read_back(s3: Any, fake_s3: FakeS3Client) -> None:
    s3.put_object(Bucket="b", Key="a b/ü+.csv", Body=b"0123456789", ContentType="text/csv", Metadata={"one": "1"})
    answer = s3.get_object(Bucket="b", Key="a b/ü+.csv")
    assert (answer["Body"].read(), answer["ContentType"], answer["Metadata"]) == (
        b"0123456789",
        "text/csv",
        {"one": "1"},
    )
    ranges = {"bytes=2-3": b"23", "bytes=7-": b"789", "bytes=-2": b"89"}
    for asked, expected in ranges.items():
        assert s3.get_object(Bucket="b", Key="a b/ü+.csv", Range=asked)["Body"].read() == expected
    assert s3.head_object(Bucket="b", Key="a b/ü+.csv")["ContentLength"] == 10
    assert fake_s3.count_requests() == {"PutObject": 1, "GetObject": 4, "HeadObject": 1}


def test_large_body_is_received_whole_though_not_kept(s3: Any, fake_s3: FakeS3Client) -> None:
    s3.put_object(Bucket="b", Key="k", Body=CONTENT)
    assert fake_s3.list_objects() == {"b/k": [(len(CONTENT), zlib.crc32(CONTENT))]}
    assert s3.head_object(Bucket="b", Key="k")["ContentLength"] == len(CONTENT)
    with pytest.raises(ClientError, match="NotKept"):
        s3.get_object(Bucket="b", Key="k")


def test_parts_become_an_object_in_the_order_of_their_numbers(s3: Any, fake_s3: FakeS3Client) -> None:
    where = {"Bucket": "b", "Key": "k"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    parts = {}
    for number, body in ((2, b"tail"), (1, CONTENT)):
        done = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
        assert base64.b64decode(done["ChecksumCRC32"]) == zlib.crc32(body).to_bytes(4)
        parts[number] = {"PartNumber": number, "ETag": done["ETag"]}
    assert [part["Size"] for part in s3.list_parts(**where, UploadId=upload)["Parts"]] == [len(CONTENT), 4]
    assert fake_s3.list_objects() == {}
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": [parts[1], parts[2]]})
    assert fake_s3.list_objects() == {"b/k": [(len(CONTENT), zlib.crc32(CONTENT)), (4, zlib.crc32(b"tail"))]}
    counted = {"CreateMultipartUpload": 1, "UploadPart": 2, "ListParts": 1, "CompleteMultipartUpload": 1}
    assert fake_s3.count_requests() == counted


def test_wrong_parts_and_ended_uploads_are_refused(s3: Any) -> None:
    where = {"Bucket": "b", "Key": "k"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    with pytest.raises(ClientError, match="InvalidPart"):
        s3.complete_multipart_upload(
            **where, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "x"}]}
        )
    s3.abort_multipart_upload(**where, UploadId=upload)
    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x")


def test_wrong_checksum_is_refused(s3: Any) -> None:
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket="b", Key="k", Body=b"abc", ChecksumCRC32="AAAAAA==")


def test_object_is_not_overwritten_against_the_condition(s3: Any) -> None:
    s3.put_object(Bucket="b", Key="k", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="b", Key="k", Body=b"2", IfNoneMatch="*")
    assert s3.get_object(Bucket="b", Key="k")["Body"].read() == b"1"


def test_read_is_conditional_on_the_etag(s3: Any) -> None:
    etag = s3.put_object(Bucket="b", Key="k", Body=b"1")["ETag"]
    assert s3.get_object(Bucket="b", Key="k", IfMatch=etag)["Body"].read() == b"1"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.get_object(Bucket="b", Key="k", IfMatch='"other"')


def test_listing_has_pages_prefixes_and_folders(s3: Any, fake_s3: FakeS3Client) -> None:
    keys = [f"in/{number:04}" for number in range(1_100)]
    for key in [*keys, "other & more"]:
        fake_s3.put(f"b/{quote(key)}", b"1")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="b", Prefix="in/")
    assert [each["Key"] for page in pages for each in page["Contents"]] == keys
    top = s3.list_objects_v2(Bucket="b", Delimiter="/")
    assert [each["Prefix"] for each in top["CommonPrefixes"]] == ["in/"]
    assert [each["Key"] for each in top["Contents"]] == ["other & more"]


def test_deleted_objects_are_gone(s3: Any) -> None:
    for key in "abc":
        s3.put_object(Bucket="b", Key=key, Body=b"1")
    s3.delete_object(Bucket="b", Key="a")
    s3.delete_objects(Bucket="b", Delete={"Objects": [{"Key": "b"}]})
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="b")["Contents"]] == ["c"]
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="b", Key="a")


def test_reset_forgets_counts_and_keeps_objects_if_asked(s3: Any, fake_s3: FakeS3Client) -> None:
    s3.put_object(Bucket="b", Key="k", Body=b"1")
    fake_s3.reset(keep=True)
    assert (fake_s3.count_requests(), list(fake_s3.list_objects())) == ({}, ["b/k"])
    fake_s3.reset()
    assert fake_s3.list_objects() == {}
