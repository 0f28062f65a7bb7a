import base64
import json
import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zip_status.conftest import READY, Service
from zip_status.exceptions import RequestRejected
from zip_status.job_list import read_token, write_token
from zip_status.schemas import Position


def encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def put_jobs(service: Service, ages_hours: list[int]) -> list[str]:
    ids = [str(uuid.uuid4()) for _ in ages_hours]
    for job_id, age in zip(ids, ages_hours, strict=True):
        service.put_job(job_id, timedelta(hours=age))
    return ids


def read_pages(service: Service, limit: int) -> list[list[str]]:
    pages: list[list[str]] = []
    query = {"limit": str(limit)}
    for _ in range(20):  # more than any test has, for a list that never ends
        body = service.list_jobs(**query).body
        pages.append([job["jobId"] for job in body["jobs"]])
        if "nextToken" not in body:
            break
        query["nextToken"] = body["nextToken"]
    return pages


def test_no_jobs_are_an_empty_list(service: Service) -> None:
    assert service.list_jobs().body == {"jobs": []}


def test_the_newest_come_first_across_days(service: Service) -> None:
    ages = [0, 1, 25, 26, 49, 30 * 24 - 25]
    ids = put_jobs(service, ages)
    assert read_pages(service, 100) == [ids]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7])
def test_pages_show_every_job_once_and_none_is_empty(service: Service, limit: int) -> None:
    ids = put_jobs(service, [0, 1, 25, 26, 100, 600])
    pages = read_pages(service, limit)
    assert [job_id for page in pages for job_id in page] == ids
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1]


def test_jobs_beyond_the_days_listed_are_left_out(service: Service) -> None:
    put_jobs(service, [32 * 24])
    assert service.list_jobs().body == {"jobs": []}


def test_a_job_made_meanwhile_does_not_move_the_next_page(service: Service) -> None:
    ids = put_jobs(service, [1, 2, 3])
    first = service.list_jobs(limit="2").body
    put_jobs(service, [0])
    second = service.list_jobs(limit="2", nextToken=first["nextToken"]).body
    assert [job["jobId"] for job in second["jobs"]] == ids[2:]


def test_an_entry_tells_what_a_list_needs(service: Service) -> None:
    service.put_job(**READY)
    (entry,) = service.list_jobs().body["jobs"]
    assert set(entry) == {"jobId", "status", "phase", "createdAt", "targetKey", "files", "sizeBytes"}
    assert (entry["files"], entry["sizeBytes"]) == (499, 51_234_567)


def test_twenty_are_shown_by_default(service: Service) -> None:
    put_jobs(service, [1] * 21)
    assert len(service.list_jobs().body["jobs"]) == 20


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "ten", "", "1,2", " 5", "٣", "9" * 5000])
def test_a_wrong_limit_is_refused(service: Service, limit: str) -> None:
    answer = service.list_jobs(limit=limit)
    assert (answer.status, answer.body["errors"][0]["field"]) == (400, "limit")


CREATED, JOB = "2026-11-21T07:30:00.123456Z", "0b8f8a52-6d1e-4a58-9a8c-1e0d2b0f6a11"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "junk",
        "é",
        "%%%",
        "a",
        encode({}),
        encode([]),
        encode([CREATED]),
        encode([CREATED, JOB, 1]),
        encode([CREATED, "1"]),
        encode([CREATED, None]),
        encode([1, JOB]),
        encode(["2026-13-41T07:30:00.123456Z", JOB]),
        encode("ab"),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_a_token_of_elsewhere_is_refused(service: Service, token: str) -> None:
    answer = service.list_jobs(nextToken=token)
    assert (answer.status, answer.body["errors"][0]["field"]) == (400, "nextToken")


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_token_of_another_age_is_an_ordinary_page(service: Service, year: str) -> None:
    assert service.list_jobs(nextToken=encode([f"{year}-01-01T00:00:00.000000Z", JOB])).body == {"jobs": []}


def test_a_token_is_read_as_it_was_written() -> None:
    position = Position(CREATED, JOB)
    assert write_token(position).isascii()
    assert read_token(write_token(position)) == position


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_no_token_is_a_fault_of_ours(token: str) -> None:
    with pytest.raises(RequestRejected, match="nextToken"):
        read_token(token)
