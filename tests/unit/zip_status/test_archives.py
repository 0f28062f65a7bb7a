"""Archives that are deleted, by a caller or by someone else."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.zip_status.conftest import JOB_ID, READY, Service, lose_connection

KEY = f"zips/{JOB_ID}.zip"


@pytest.fixture
def versioned(service: Service) -> str:
    """Put a READY job whose archive is a version in a versioned bucket; return the version's id."""
    service.s3.put_bucket_versioning(Bucket="target", VersioningConfiguration={"Status": "Enabled"})
    version = service.s3.put_object(Bucket="target", Key=KEY, Body=b"archive")["VersionId"]
    service.put_job(**READY, versionId=version)
    # put_job puts an archive of its own, which is not the job's.
    (newest,) = [one for one in service.s3.list_object_versions(Bucket="target")["Versions"] if one["IsLatest"]]
    service.s3.delete_object(Bucket="target", Key=KEY, VersionId=newest["VersionId"])
    return version


def test_a_job_whose_archive_is_gone_has_expired(
    service: Service, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    service.put_job(**READY)
    service.s3.delete_object(Bucket="target", Key=KEY)
    for _ in range(2):
        body = service.get().body
        assert (body["status"], body["targetKey"]) == ("EXPIRED", KEY)
        assert "downloadUrl" not in body
        assert body["expiredAt"]
    assert service.read_job()["status"] == "EXPIRED"
    assert [line["event"] for line in log_lines()].count("job_expired") == 1


def test_an_archive_that_is_there_stays_ready(service: Service, versioned: str) -> None:
    body = service.get().body
    assert body["status"] == "READY"
    assert f"versionId={versioned}" in body["downloadUrl"]


def test_an_archive_behind_a_delete_marker_is_gone(service: Service, versioned: str) -> None:
    assert versioned
    service.s3.delete_object(Bucket="target", Key=KEY)
    assert service.get().body["status"] == "EXPIRED"


def test_a_newer_object_of_the_same_key_does_not_hide_the_archive(service: Service, versioned: str) -> None:
    service.s3.put_object(Bucket="target", Key=KEY, Body=b"other")
    assert f"versionId={versioned}" in service.get().body["downloadUrl"]
    service.s3.delete_object(Bucket="target", Key=KEY, VersionId=versioned)
    assert service.get().body["status"] == "EXPIRED"


def test_deleting_a_ready_job_deletes_its_archive_for_good(
    service: Service, versioned: str, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    assert versioned
    answer = service.cancel()
    assert (answer.status, answer.body) == (200, {"jobId": JOB_ID, "status": "EXPIRED"})
    found = service.s3.list_object_versions(Bucket="target")
    assert not found.get("Versions")
    assert not found.get("DeleteMarkers")
    assert service.get().body["status"] == "EXPIRED"
    assert service.cancel().body == answer.body
    assert [line["event"] for line in log_lines()].count("archive_deleted") == 1


def test_the_list_of_what_was_left_out_goes_with_the_archive(service: Service) -> None:
    service.put_job(**READY, keyReportKey=f"{KEY}.keys.jsonl")
    service.s3.put_object(Bucket="target", Key=f"{KEY}.keys.jsonl", Body=b"{}")
    assert f"{KEY}.keys.jsonl" in service.get().body["skippedKeysUrl"]
    assert service.cancel().status == 200
    assert service.list_objects() == []


def test_a_deletion_that_fails_halfway_is_made_good_by_the_next(service: Service) -> None:
    service.put_job(**READY)
    service.intercept("DeleteObject", lose_connection, "s3")
    assert service.cancel().status == 503
    assert service.get().body["status"] == "EXPIRED", "nobody is given an address that is to die"
    assert service.cancel().body["status"] == "EXPIRED"
    assert service.list_objects() == []


def test_s3_that_does_not_answer_does_not_expire_a_job(service: Service) -> None:
    service.put_job(**READY)
    service.intercept("HeadObject", lose_connection, "s3")
    assert service.get().body["status"] == "READY"


def test_a_failed_jobs_keys_can_be_downloaded(service: Service) -> None:
    service.put_job(
        status="FAILED",
        error="150 of the objects cannot be archived",
        errorCode="object_missing",
        failedKeys=["a", "b"],
        keyReportKey=f"{KEY}.keys.jsonl",
    )
    body = service.get().body
    assert (body["errorCode"], body["failedKeys"]) == ("object_missing", ["a", "b"])
    assert f"{KEY}.keys.jsonl" in body["failedKeysUrl"]
