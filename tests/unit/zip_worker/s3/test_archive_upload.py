import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.zip_worker.conftest import Aws
from zip_worker.s3.archive_upload import ArchiveUpload
from zip_worker.s3.multipart import abort_stale_uploads

MIB = 2**20
PART = 5 * MIB


def upload(aws: Aws, concurrency: int = 2) -> ArchiveUpload:
    return ArchiveUpload(aws.s3, "target", "a.zip", concurrency=concurrency, part_size=PART)


def stored(aws: Aws) -> bytes:
    return aws.s3.get_object(Bucket="target", Key="a.zip")["Body"].read()


def test_parts_may_come_out_of_order_and_the_checksum_is_that_of_the_whole(aws: Aws) -> None:
    parts = [bytes([number]) * (PART + number) for number in (1, 2, 3)]
    with upload(aws) as archive:
        archive.put(2, parts[1])
        archive.put(3, parts[2])
        archive.put(1, parts[0])
        result = archive.complete(4, b"end")
    whole = b"".join(parts) + b"end"
    assert stored(aws) == whole
    assert (result.size, result.crc32) == (len(whole), zlib.crc32(whole))
    assert aws.uploads_in_progress() == 0


def test_archive_of_one_part_takes_one_request(aws: Aws) -> None:
    calls: list[str] = []
    aws.s3.meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    with upload(aws) as archive:
        result = archive.complete(1, b"tiny")
    assert calls == ["PutObject"]
    assert stored(aws) == b"tiny"
    assert result.crc32 == zlib.crc32(b"tiny")


def test_nothing_stays_when_the_work_fails(aws: Aws) -> None:
    def break_off() -> None:
        with upload(aws) as archive:
            archive.put(1, bytes(PART))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        break_off()
    assert aws.uploads_in_progress() == 0
    assert aws.target_keys() == []


def test_failed_part_fails_the_upload_and_leaves_nothing(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_if_fatal(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "slow down"}}, "UploadPart")

    def write_ten_parts() -> None:
        with upload(aws) as archive:
            for number in range(1, 10):
                archive.put(number, bytes(PART))
            archive.complete(10, b"end")

    monkeypatch.setattr(aws.s3, "upload_part", raise_if_fatal)
    with pytest.raises(ClientError, match="SlowDown"):
        write_ten_parts()
    assert aws.uploads_in_progress() == 0


def test_only_the_uploads_of_exactly_this_key_are_stale(aws: Aws) -> None:
    for key in ("a.zip", "a.zip", "a.zip.other"):
        aws.s3.create_multipart_upload(Bucket="target", Key=key)
    assert abort_stale_uploads(aws.s3, "target", "a.zip") == 2
    assert aws.uploads_in_progress() == 1
