import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.zip_status.conftest import READY, Service, format_time

OLD = timedelta(days=4, minutes=1)


def lease(end_in_seconds: float, receives: int) -> dict[str, Any]:
    end = round(time.time() + end_in_seconds, 3)
    return {"phase": "processing", "leaseOwner": "w", "leaseExpiresAt": end, "receives": receives}


def test_a_lease_that_ran_out_on_the_last_try_is_a_failure(
    service: Service, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    service.put_job(**lease(-6, receives=3))
    first = service.get()
    assert first.body["status"] == "FAILED"
    assert "last" in first.body["error"]
    job = service.read_job()
    assert (job["status"], job["error"]) == ("FAILED", first.body["error"])
    assert first.body["errorCode"] == "worker_stopped"
    assert service.get().body == first.body
    assert [line["event"] for line in log_lines()] == ["job_settled", "job_read", "job_read"]


def test_a_fractional_lease_is_settled_to_the_digit(service: Service) -> None:
    service.put_job(phase="processing", leaseOwner="w", leaseExpiresAt=1_763_712_000.123457, receives=3)
    assert service.get().body["status"] == "FAILED"


@pytest.mark.parametrize(
    "make_values",
    [
        lambda: lease(60, receives=3),
        lambda: lease(-1, receives=3),
        lambda: lease(-60, receives=2),
        lambda: {"receives": 3, "lastError": "the worker gave the lease back"},
        dict,
    ],
    ids=["leased", "within the grace", "tries left", "given back", "queued"],
)
def test_a_job_that_can_still_end_stays_pending(service: Service, make_values: Callable[[], dict[str, Any]]) -> None:
    service.put_job(**make_values())
    assert service.get().body["status"] == "PENDING"
    assert service.read_job()["status"] == "PENDING"


def test_a_job_that_no_worker_took_before_its_message_ended_is_a_failure(service: Service) -> None:
    service.put_job(age=OLD)
    assert service.get().body["status"] == "FAILED"
    assert service.read_job()["status"] == "FAILED"


def test_an_old_job_whose_lease_ran_out_is_a_failure_that_tells_the_last_error(service: Service) -> None:
    service.put_job(age=OLD, **lease(-60, receives=1), lastError="connection reset")
    assert "connection reset" in service.get().body["error"]


def test_an_old_job_that_a_worker_holds_stays_pending(service: Service) -> None:
    service.put_job(age=OLD, **lease(60, receives=1))
    assert service.get().body["status"] == "PENDING"


@pytest.mark.parametrize(("age", "status"), [(timedelta(minutes=1), "PENDING"), (OLD, "FAILED")])
def test_a_job_between_two_invocations_is_as_old_as_its_last_message(
    service: Service, age: timedelta, status: str
) -> None:
    service.put_job(age=OLD * 2, phase="processing", receives=3, handedOverAt=format_time(datetime.now(UTC) - age))
    assert service.get().body["status"] == status


@pytest.mark.parametrize("status", ["READY", "CANCELLED"])
def test_an_ended_job_is_never_settled(service: Service, status: str) -> None:
    service.put_job(age=OLD, **READY | lease(-60, receives=3) | {"status": status})
    assert service.get().body["status"] == status


@pytest.mark.parametrize("values", [lease(-60, receives=3), {}], ids=["leased", "never leased"])
def test_a_worker_that_comes_back_is_not_overwritten(service: Service, values: dict[str, Any]) -> None:
    service.put_job(age=OLD, **values)
    service.intercept("UpdateItem", lambda: service.change_job(**lease(60, receives=3)))
    assert service.get().body["status"] == "PENDING"
    assert service.read_job()["status"] == "PENDING"


def test_a_job_that_ends_while_it_is_settled_keeps_its_end(service: Service) -> None:
    service.put_job(**lease(-60, receives=3))
    service.intercept("UpdateItem", lambda: service.put_job(**READY))
    assert service.get().body["status"] == "READY"
