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


@pytest.mark.parametrize("values", [READY, {"status": "FAILED", "error": "e"}], ids=["READY", "FAILED"])
def test_an_ended_job_cannot_be_cancelled(service: Service, values: dict[str, Any]) -> None:
    service.put_job(**values)
    answer = service.cancel()
    assert answer.status == 409
    assert str(values["status"]) in answer.body["detail"]
    assert service.read_job()["status"] == values["status"]


@pytest.mark.parametrize("job_id", [JOB_ID, "1", ""])
def test_an_unknown_job_cannot_be_cancelled_nor_made(service: Service, job_id: str) -> None:
    assert service.cancel(job_id).status == 404
    assert service.dynamodb.scan(TableName="jobs")["Items"] == []


def test_a_job_that_becomes_ready_first_stays_ready(service: Service) -> None:
    service.put_job()
    service.intercept("UpdateItem", lambda: service.change_job(**READY))
    assert service.cancel().status == 409
    assert service.get().body["status"] == "READY"


def test_a_job_that_someone_else_cancels_first_is_cancelled(service: Service) -> None:
    service.put_job()
    service.intercept("UpdateItem", lambda: service.change_job(status="CANCELLED"))
    assert service.cancel().status == 200
