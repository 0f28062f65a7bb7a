"""Large members, copied by moto: it demands parts of 5 MiB and knows full-object CRC-32s."""

import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.zip_worker.conftest import Aws
from tests.unit.zip_worker.test_app import deliver, environment  # noqa: F401  # a fixture
from zip_worker import app, clients
from zip_worker.s3.checksums import write_checksum

MIB = 2**20


@pytest.fixture(autouse=True)
def _small_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPY_THRESHOLD_MB", "10")
    monkeypatch.setenv("S3_PART_SIZE", str(5 * MIB))
    app._settings.cache_clear()


def make_bytes(seed: int, size: int) -> bytes:
    block = bytes((seed + index * 7) % 256 for index in range(251))
    return (block * (size // len(block) + 1))[:size]


def put_known(aws: Aws, key: str, body: bytes) -> None:
    aws.s3.put_object(Bucket="source", Key=key, Body=body, ChecksumAlgorithm="CRC32")


@pytest.fixture
def calls(aws: Aws) -> list[str]:
    """The names of the S3 operations that the worker calls."""
    names: list[str] = []
    client = clients.s3_client(30)
    client.meta.events.register("before-call.s3", lambda model, **_: names.append(model.name))
    return names


def run(aws: Aws, keys: list[str], job_id: str = "job-1") -> bytes:
    aws.put_job(job_id, keys=keys)
    assert deliver(aws, f'{{"jobId": "{job_id}"}}') == []
    assert aws.job(job_id)["status"] == "READY", aws.job(job_id)
    return aws.archive(job_id)


def test_copied_archive_is_that_of_streaming(aws: Aws, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = {"a.bin": make_bytes(1, 11 * MIB), "b.txt": b"small", "c.bin": make_bytes(2, 23 * MIB + 5)}
    for key, body in bodies.items():
        put_known(aws, key, body)
    copied = run(aws, list(bodies))
    assert calls.count("UploadPartCopy") == 2
    job = aws.job()
    assert int(job["bytesCopied"]) + int(job["bytesStreamed"]) == sum(map(len, bodies.values()))
    assert 23 * MIB < int(job["bytesCopied"]) < 29 * MIB
    assert job["crc32"] == f"{zlib.crc32(copied):08x}"

    monkeypatch.setenv("COPY_THRESHOLD_MB", "0")
    app._settings.cache_clear()
    calls.clear()
    streamed = run(aws, list(bodies), "job-2")
    assert "UploadPartCopy" not in calls
    assert copied == streamed
    assert aws.job("job-2")["bytesCopied"] == "0"


def test_object_without_crc32_is_streamed_unless_reading_it_for_that_is_allowed(aws: Aws, calls: list[str]) -> None:
    for key, body in {"a.bin": make_bytes(1, 11 * MIB), "b.bin": make_bytes(2, 12 * MIB)}.items():
        aws.s3.put_object(Bucket="source", Key=key, Body=body, ChecksumAlgorithm="SHA256")
    streamed = run(aws, ["a.bin", "b.bin"])
    assert "UploadPartCopy" not in calls
    aws.put_job("job-2", keys=["a.bin", "b.bin"])
    aws.dynamodb.update_item(
        TableName="jobs",
        Key={"jobId": {"S": "job-2"}},
        UpdateExpression="SET computeCrc = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )
    deliver(aws, '{"jobId": "job-2"}')
    assert aws.archive("job-2") == streamed
    assert calls.count("UploadPartCopy") == 2
    assert int(aws.job("job-2")["bytesCopied"]) > 13 * MIB


def test_large_objects_of_a_prefix_are_copied_too(aws: Aws, calls: list[str]) -> None:
    put_known(aws, "docs/a.bin", make_bytes(1, 11 * MIB))
    aws.put({f"docs/{number}.txt": b"x" for number in range(20)})
    aws.put_job(prefix="docs/")
    assert deliver(aws) == []
    assert (calls.count("HeadObject"), calls.count("UploadPartCopy")) == (1, 1)


def put_in_parts(aws: Aws, key: str, parts: list[bytes]) -> None:
    created = aws.s3.create_multipart_upload(Bucket="source", Key=key, ChecksumAlgorithm="CRC32")
    place: dict[str, Any] = {"Bucket": "source", "Key": key, "UploadId": created["UploadId"]}
    done = []
    for number, part in enumerate(parts, 1):
        answer = aws.s3.upload_part(**place, PartNumber=number, Body=part, ChecksumAlgorithm="CRC32")
        done.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})
    aws.s3.complete_multipart_upload(**place, MultipartUpload={"Parts": done})  # type: ignore[typeddict-item]


def attributes_of(parts: list[bytes], etag: str, page: int) -> Any:
    """GetObjectAttributes as S3 answers it for a composite CRC-32; the emulators leave the checksums out."""
    rows = [
        {"PartNumber": number, "Size": len(part), "ChecksumCRC32": write_checksum(zlib.crc32(part))}
        for number, part in enumerate(parts, 1)
    ]

    def answer(**options: Any) -> dict[str, Any]:
        start = options["PartNumberMarker"]
        some = rows[start : start + page]
        more = start + page < len(rows)
        listed = {"Parts": some, "IsTruncated": more, "NextPartNumberMarker": some[-1]["PartNumber"]}
        return {"ETag": etag, "ObjectParts": listed}

    return answer


@pytest.mark.parametrize("case", ["whole", "changed", "incomplete"])
def test_checksums_of_an_objects_parts_count_if_they_are_all_there(
    aws: Aws, calls: list[str], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    parts = [make_bytes(1, 5 * MIB), make_bytes(2, 6 * MIB), make_bytes(3, 100)]
    put_in_parts(aws, "a.bin", parts)
    etag = aws.s3.head_object(Bucket="source", Key="a.bin")["ETag"].strip('"')
    told = {"whole": parts, "changed": parts, "incomplete": parts[:2]}[case]
    answer = attributes_of(told, "another" if case == "changed" else etag, page=2)
    monkeypatch.setattr(clients.s3_client(30), "get_object_attributes", answer)
    archive = run(aws, ["a.bin"])
    assert calls.count("UploadPartCopy") == (1 if case == "whole" else 0)
    assert b"".join(parts) in archive
    assert f"{zlib.crc32(archive):08x}" == aws.job()["crc32"]


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented"])
def test_object_whose_parts_checksums_are_not_told_is_streamed(
    aws: Aws, calls: list[str], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """A bucket policy may allow reading an object and not its attributes."""

    def raise_if_fatal(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObjectAttributes")

    parts = [make_bytes(1, 5 * MIB), make_bytes(2, 6 * MIB)]
    put_in_parts(aws, "a.bin", parts)
    monkeypatch.setattr(clients.s3_client(30), "get_object_attributes", raise_if_fatal)
    assert b"".join(parts) in run(aws, ["a.bin"])
    assert "UploadPartCopy" not in calls


def test_copied_bytes_of_another_checksum_fail_the_job(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 says what it copied; a wrong CRC-32 of the whole must not become an archive."""
    body = make_bytes(1, 11 * MIB)
    put_known(aws, "a.bin", body)
    client = clients.s3_client(30)
    real = client.upload_part_copy

    def tell(**options: Any) -> Any:
        answer = real(**options)
        answer["CopyPartResult"]["ChecksumCRC32"] = "AAAAAA=="
        return answer

    monkeypatch.setattr(client, "upload_part_copy", tell)
    aws.put_job(keys=["a.bin"])
    assert deliver(aws) == []
    assert "its CRC-32 differs from the one at the survey" in aws.job()["error"]
    assert aws.uploads_in_progress() == 0
    assert aws.target_keys() == []


@pytest.mark.parametrize("megabytes", ["1", "9"])
def test_threshold_below_what_s3_lets_a_part_be_is_refused(monkeypatch: pytest.MonkeyPatch, megabytes: str) -> None:
    monkeypatch.setenv("COPY_THRESHOLD_MB", megabytes)
    with pytest.raises(ValueError, match=f"COPY_THRESHOLD_MB is {megabytes}, neither 0 nor at least 10"):
        app._settings()
