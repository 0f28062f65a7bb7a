"""The states of a job between its request and its end."""

import random
import time
import uuid

import pytest
import requests

from tests.e2e.stack import JOB_SECONDS, Job, Stack, wait_until

_MEMBERS = 30


@pytest.fixture
def slow_keys(stack: Stack, prefix: str) -> list[str]:
    """Return keys whose deflated archive takes seconds: noise compresses slowly and not at all."""
    (key,) = stack.put_objects({f"{prefix}noise.bin": random.Random(1).randbytes(8 * 1024 * 1024)})
    return [key] * _MEMBERS


def wait_until_processing(stack: Stack, job_id: str) -> Job:
    def look() -> Job | None:
        job = stack.get_job(job_id)
        assert job["status"] == "PENDING", f"the job ended before it was seen working: {job}"
        return job if job["phase"] == "processing" and stack.list_uploads(job_id) else None

    return wait_until(look, "the job to be worked on", pause=0.1)


def test_progress_is_seen_while_pending(stack: Stack, slow_keys: list[str]) -> None:
    job_id = stack.create_job(keys=slow_keys, compression="deflated")
    seen: list[Job] = []

    def look() -> Job | None:
        job = stack.get_job(job_id)
        seen.append(job)
        return job if job["status"] != "PENDING" else None

    end = wait_until(look, "the job's end", JOB_SECONDS)

    assert end["status"] == "READY", end
    pending = seen[:-1]
    total = _MEMBERS * 8 * 1024 * 1024
    partial = [job for job in pending if job["bytesTotal"] == total and 0 < job["bytesDone"] < total]
    assert partial, f"no progress in {len(pending)} looks"
    assert all(job["filesTotal"] == _MEMBERS for job in pending)
    for job in partial:
        assert job["phase"] == "processing"
        assert 0 <= job["percent"] < 100
        assert job["filesDone"] <= _MEMBERS
    done = [job["bytesDone"] or 0 for job in pending]
    assert done == sorted(done), "progress never goes back"


def test_queued_job_can_be_cancelled_and_is_never_worked_on(stack: Stack, prefix: str) -> None:
    keys = stack.put_objects({f"{prefix}one.pdf": b"x"})
    with stack.paused_queue():
        job_id = stack.create_job(keys=keys)
        job = stack.get_job(job_id)
        answer = stack.call("DELETE", f"/zip-jobs/{job_id}")
    stack.wait_for_empty_queue()

    assert (job["status"], job["phase"]) == ("PENDING", "queued")
    assert (answer.status_code, answer.json()) == (200, {"jobId": job_id, "status": "CANCELLED"})
    assert stack.get_job(job_id)["status"] == "CANCELLED"
    assert "attempts" not in stack.read_item(job_id)
    assert stack.list_versions(f"zips/{job_id}") == []


def test_running_job_can_be_cancelled_and_leaves_nothing(stack: Stack, slow_keys: list[str]) -> None:
    job_id = stack.create_job(keys=slow_keys, compression="deflated")
    wait_until_processing(stack, job_id)

    answer = stack.call("DELETE", f"/zip-jobs/{job_id}")

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    wait_until(lambda: not stack.list_uploads(job_id), "the worker to abort its upload", 30)
    stack.wait_for_empty_queue()
    assert stack.list_versions(f"zips/{job_id}") == []
    assert stack.list_uploads(job_id) == []
    assert stack.get_job(job_id)["status"] == "CANCELLED"


def test_cancelling_again_changes_nothing(stack: Stack, slow_keys: list[str]) -> None:
    job_id = stack.create_job(keys=slow_keys, compression="deflated")

    answers = [stack.call("DELETE", f"/zip-jobs/{job_id}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


def test_failed_job_has_nothing_to_delete(stack: Stack, prefix: str) -> None:
    job_id = stack.create_job(keys=[f"{prefix}absent.pdf"])
    assert stack.wait_for_end(job_id)["status"] == "FAILED"

    answer = stack.call("DELETE", f"/zip-jobs/{job_id}")

    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "job_has_no_archive"
    assert stack.get_job(job_id)["errorCode"] == "object_missing"


def test_deleting_a_ready_job_deletes_its_archive_and_its_address_dies(stack: Stack, prefix: str) -> None:
    job = stack.finish_job(keys=stack.put_objects({f"{prefix}one.pdf": b"x"}))

    answers = [stack.call("DELETE", f"/zip-jobs/{job['jobId']}").json() for _ in range(2)]

    assert answers == [{"jobId": job["jobId"], "status": "EXPIRED"}] * 2
    assert stack.list_versions(job["targetKey"]) == []
    assert requests.get(job["downloadUrl"], timeout=30).status_code == 404
    assert stack.get_job(job["jobId"])["status"] == "EXPIRED"


def test_job_whose_archive_somebody_deleted_has_expired(stack: Stack, prefix: str) -> None:
    job = stack.finish_job(keys=stack.put_objects({f"{prefix}one.pdf": b"x"}))

    stack.s3.delete_object(Bucket=stack.target, Key=job["targetKey"])

    gone = stack.get_job(job["jobId"])
    assert gone["status"] == "EXPIRED"
    assert "downloadUrl" not in gone


def test_head_and_status_are_answered(stack: Stack, prefix: str) -> None:
    job_id = stack.create_job(keys=[f"{prefix}absent.pdf"])
    stack.wait_for_end(job_id)

    head = stack.call("HEAD", f"/zip-jobs/{job_id}")
    failed = stack.call("GET", "/zip-jobs?status=FAILED&limit=100").json()["jobs"]

    assert (head.status_code, head.content) == (200, b"")
    assert {job["status"] for job in failed} == {"FAILED"}


def test_list_has_the_newest_jobs_first_page_by_page(stack: Stack, prefix: str) -> None:
    keys = stack.put_objects({f"{prefix}one.pdf": b"x"})
    made = []
    for _ in range(3):
        made.append(stack.create_job(keys=keys))
        time.sleep(0.01)
    made.reverse()

    def look() -> list[str] | None:  # the index follows the table by a moment
        jobs = stack.call("GET", "/zip-jobs?limit=3").json()["jobs"]
        found = [job["jobId"] for job in jobs]
        return found if found == made else None

    wait_until(look, "the three jobs at the list's head", 10)
    paged: list[Job] = []
    parameters = {"limit": "1"}
    for _ in range(3):
        page = stack.call("GET", "/zip-jobs", params=parameters).json()
        paged += page["jobs"]
        parameters["nextToken"] = page["nextToken"]
    assert [job["jobId"] for job in paged] == made
    assert {job["targetKey"] for job in paged} == {f"zips/{job_id}.zip" for job_id in made}


def test_listed_jobs_follow_their_states(stack: Stack, prefix: str) -> None:
    keys = stack.put_objects({f"{prefix}one.pdf": b"x"})
    job = stack.finish_job(keys=keys)

    def look() -> Job | None:
        jobs = stack.call("GET", "/zip-jobs?limit=20").json()["jobs"]
        ready = [one for one in jobs if one["jobId"] == job["jobId"] and one["status"] == "READY"]
        return ready[0] if ready else None

    listed = wait_until(look, "the job in the list", 10)

    assert (listed["files"], listed["sizeBytes"]) == (job["files"], job["sizeBytes"])


def test_repeated_request_gets_the_first_job(stack: Stack, prefix: str) -> None:
    keys = stack.put_objects({f"{prefix}one.pdf": b"x"})
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = stack.call("POST", "/zip-jobs", json={"keys": keys}, headers=headers)
    stack.created.append(first.json()["jobId"])
    job = stack.wait_for_end(first.json()["jobId"])

    again = stack.call("POST", "/zip-jobs", json={"keys": keys}, headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == {"jobId": job["jobId"], "status": "READY"}
    assert again.headers["Location"] == first.headers["Location"]
    stack.wait_for_empty_queue()
    assert stack.get_job(job["jobId"])["completedAt"] == job["completedAt"]


def test_other_request_under_the_same_key_is_refused(stack: Stack, prefix: str) -> None:
    keys = stack.put_objects({f"{prefix}one.pdf": b"x", f"{prefix}two.pdf": b"y"})
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = stack.call("POST", "/zip-jobs", json={"keys": keys[:1]}, headers=headers)
    stack.created.append(first.json()["jobId"])

    second = stack.call("POST", "/zip-jobs", json={"keys": keys}, headers=headers)

    assert second.status_code == 422
    assert second.headers["Content-Type"] == "application/problem+json"
    assert "Idempotency-Key" in second.json()["detail"]
