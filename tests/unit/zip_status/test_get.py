from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.unit.zip_status.conftest import JOB_ID, READY, Service
from zip_status import app


def test_a_queued_job_is_pending_at_nought(service: Service) -> None:
    service.put_job(filesTotal=3)
    answer = service.get()
    assert answer.status == 200
    assert answer.body == {
        "jobId": JOB_ID,
        "status": "PENDING",
        "createdAt": service.read_job()["createdAt"],
        "phase": "queued",
        "filesDone": 0,
        "filesTotal": 3,
        "bytesDone": 0,
        "bytesTotal": None,
        "bytesCopied": 0,
        "bytesStreamed": 0,
        "percent": 0.0,
    }


def test_a_job_of_unknown_size_has_no_percentage(service: Service) -> None:
    service.put_job(prefix="a/")
    body = service.get().body
    assert (body["filesTotal"], body["bytesTotal"], body["percent"]) == (None, None, None)


def test_copied_and_streamed_bytes_are_told_apart(service: Service) -> None:
    service.put_job(phase="processing", bytesDone=30, bytesTotal=40, bytesCopied=20, bytesStreamed=10)
    body = service.get().body
    assert (body["bytesDone"], body["bytesCopied"], body["bytesStreamed"]) == (30, 20, 10)


def test_progress_is_told_in_whole_numbers(service: Service) -> None:
    service.put_job(phase="processing", filesDone=120, filesTotal=500, bytesDone=12_345_678, bytesTotal=51_234_567)
    answer = service.get()
    assert '"bytesDone": 12345678,' in answer.text
    assert answer.body["percent"] == 24.1


@pytest.mark.parametrize(
    ("progress", "percent"),
    [
        ({"filesDone": 1, "filesTotal": 3}, 33.3),
        ({"filesDone": 1, "filesTotal": 4, "bytesDone": 3, "bytesTotal": 4}, 75.0),
        ({"filesDone": 1, "filesTotal": 4, "bytesDone": 0, "bytesTotal": 0}, 25.0),
        ({"filesDone": 0, "filesTotal": 0, "bytesDone": 0, "bytesTotal": 0}, None),
        ({"filesDone": 1, "filesTotal": 1, "bytesDone": 11, "bytesTotal": 10}, 100.0),
    ],
)
def test_the_percentage_is_of_bytes_else_of_files(
    service: Service, progress: dict[str, Any], percent: float | None
) -> None:
    service.put_job(**progress)
    assert service.get().body["percent"] == percent


def test_a_job_to_be_tried_again_says_why(service: Service) -> None:
    service.put_job(lastError="a.pdf: connection reset", receives=1)
    assert service.get().body["lastError"] == "a.pdf: connection reset"


def test_a_ready_job_tells_its_archive(service: Service) -> None:
    service.put_job(**READY, versionId="v1", requestHash="0", leaseMessageId="m")
    body = service.get().body
    assert {name: body[name] for name in READY if name != "phase"} == {
        name: value for name, value in READY.items() if name != "phase"
    }
    assert (body["targetBucket"], body["targetKey"]) == ("target", f"zips/{JOB_ID}.zip")
    assert set(body) - set(READY) == {"jobId", "createdAt", "downloadUrl", "expiresAt", "targetBucket", "targetKey"}


def test_a_failed_job_tells_its_error(service: Service) -> None:
    service.put_job(status="FAILED", error="a.pdf does not exist", completedAt="2026-11-21T07:30:12.500000Z")
    body = service.get().body
    assert (body["status"], body["error"]) == ("FAILED", "a.pdf does not exist")


def test_a_cancelled_job_says_so(service: Service) -> None:
    service.put_job(status="CANCELLED")
    assert service.get().body["status"] == "CANCELLED"


@pytest.mark.parametrize(
    "job_id", [JOB_ID, JOB_ID.upper(), "1", "", "../zip-jobs", "é" * 1000, "\ud800", f"{JOB_ID}\n", "x" * 5000]
)
def test_an_unknown_job_is_not_found(service: Service, job_id: str) -> None:
    answer = service.get(job_id)
    assert (answer.status, answer.body["title"]) == (404, "Not Found")


def test_an_answer_may_not_be_kept_by_caches(service: Service) -> None:
    service.put_job(**READY)
    assert service.get().headers["cache-control"] == "no-store"


def test_a_table_that_does_not_answer_is_a_503_that_tells_no_internals(service: Service) -> None:
    def lose_connection() -> None:
        raise EndpointConnectionError(endpoint_url="https://secret-endpoint.internal")

    service.put_job()
    service.intercept("GetItem", lose_connection)
    answer = service.get()
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "secret" not in answer.text


def test_a_fault_of_ours_is_a_500_that_tells_no_internals(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_RECEIVES", "some")
    app.load_settings.cache_clear()
    answer = service.get()
    assert answer.status == 500
    assert "MAX_RECEIVES" not in answer.text
