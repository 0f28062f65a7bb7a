from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.zip_status.conftest import JOB_ID, READY, Service


@pytest.mark.parametrize("values", [{}, {"phase": "processing", "leaseOwner": "w", "leaseExpiresAt": 9_999_999_999}])
def test_a_pending_job_is_cancelled(service: Service, values: dict[str, Any]) -> None:
    service.put_job(**values)
    answer = service.cancel()
    assert (answer.status, answer.body) == (200, {"jobId": JOB_ID, "status": "CANCELLED"})
    assert service.read_job()["status"] == "CANCELLED"
    assert service.get().body["status"] == "CANCELLED"


def test_cancelling_again_does_nothing(service: Service, log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    service.put_job()
    first = service.cancel()
    stored = service.read_job()
    second = service.cancel()
    assert (second.status, second.body) == (first.status, first.body)
    assert service.read_job() == stored
    assert [line["event"] for line in log_lines()] == ["job_cancelled"]


def test_a_failed_job_has_nothing_to_delete(service: Service) -> None:
    service.put_job(status="FAILED", error="e")
    answer = service.cancel()
    assert (answer.status, answer.body["code"]) == (409, "job_has_no_archive")
    assert "FAILED" in answer.body["detail"]
    assert service.read_job()["status"] == "FAILED"


@pytest.mark.parametrize("job_id", [JOB_ID, "1", ""])
def test_an_unknown_job_cannot_be_cancelled_nor_made(service: Service, job_id: str) -> None:
    assert service.cancel(job_id).status == 404
    assert service.dynamodb.scan(TableName="jobs")["Items"] == []


def test_a_job_that_becomes_ready_first_loses_its_archive(service: Service) -> None:
    """Whoever deletes a job wants none of it, however far it is."""
    service.put_job()
    service.intercept("UpdateItem", lambda: service.put_job(**READY))
    assert service.cancel().body == {"jobId": JOB_ID, "status": "EXPIRED"}
    assert service.list_objects() == []


def test_a_job_that_someone_else_cancels_first_is_cancelled(service: Service) -> None:
    service.put_job()
    service.intercept("UpdateItem", lambda: service.change_job(status="CANCELLED"))
    assert service.cancel().status == 200
