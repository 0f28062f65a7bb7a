from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.api_document import load_event
from tests.unit.zip_enqueue.conftest import Answer, Service, lose_connection

BODY = {"keys": ["a", "b"]}


def test_the_same_request_again_gets_the_first_job(service: Service) -> None:
    first, second = service.post(BODY, key="k"), service.post(BODY, key="k")
    assert second.status == 202
    assert second.body == first.body
    assert second.headers["location"] == first.headers["location"]
    assert service.read_job()["idempotent"] is True


def test_spelling_out_a_default_is_the_same_request(service: Service) -> None:
    first = service.post(BODY, key="k")
    assert service.post({"paths": "basename", **BODY}, key="k").body == first.body


def test_without_a_key_every_request_is_a_job(service: Service) -> None:
    assert service.post(BODY).body["jobId"] != service.post(BODY).body["jobId"]


def test_the_same_key_for_a_different_request_is_refused(service: Service) -> None:
    service.post(BODY, key="k")
    answer = service.post({"keys": ["a", "c"]}, key="k")
    assert (answer.status, answer.fields) == (422, ["Idempotency-Key"])
    assert service.read_key_list(service.read_job()["jobId"]) == ["a", "b"]


@pytest.mark.parametrize("key", ["k", "a b", "!", "x" * 255, '"3fc3b6e2"'])
def test_a_printable_key_is_accepted(service: Service, key: str) -> None:
    assert service.post(BODY, key=key).status == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é", "a\n", " "])
def test_another_key_is_refused(service: Service, key: str) -> None:
    answer = service.post(BODY, key=key)
    assert (answer.status, answer.fields) == (400, ["Idempotency-Key"])
    assert service.read_jobs() == []


def test_the_header_is_found_in_any_case(service: Service) -> None:
    event = load_event("create_job")
    event["headers"]["Idempotency-Key"] = "k"
    service.post(BODY, event=event)
    assert service.read_job()["idempotent"] is True


def test_a_key_counts_for_one_caller(service: Service) -> None:
    answers = [service.post(BODY, event=load_event(f"create_job_{auth}")) for auth in ("iam", "jwt", "iam")]
    answers.append(service.post(BODY, key="report-1"))
    ids = [answer.body["jobId"] for answer in answers]
    assert ids[0] == ids[2]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("status", ["READY", "FAILED", "CANCELLED"])
def test_a_repeat_tells_the_status_of_a_job_that_has_ended(service: Service, status: str) -> None:
    service.change_job(str(service.post(BODY, key="k").body["jobId"]), status=status)
    service.read_messages()
    assert service.post(BODY, key="k").body["status"] == status
    assert service.read_messages() == []


def test_a_job_that_a_worker_has_had_is_not_queued_again(service: Service) -> None:
    service.change_job(str(service.post(BODY, key="k").body["jobId"]), receives="1", lastError="reset")
    service.read_messages()
    assert service.post(BODY, key="k").status == 202
    assert service.read_messages() == []
    assert service.read_job()["lastError"] == "reset"


def test_a_repeat_queues_a_job_whose_first_request_died(service: Service) -> None:
    job_id = str(service.post(BODY, key="k").body["jobId"])
    service.read_messages()
    service.s3.delete_object(Bucket="target", Key=f".zip-jobs/{job_id}.json")
    service.post(BODY, key="k")
    assert service.read_messages() == [{"jobId": job_id}]
    assert service.read_key_list(job_id) == ["a", "b"]


def test_requests_at_the_same_time_make_one_job(service: Service) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.post(BODY, key="k"), range(16)))
    assert {answer.status for answer in answers} == {202}
    assert {answer.body["jobId"] for answer in answers} == {service.read_job()["jobId"]}


@pytest.mark.parametrize("operation", ["s3.PutObject", "sqs.SendMessage"])
def test_a_failing_first_request_does_not_take_the_job_from_a_second(service: Service, operation: str) -> None:
    seconds: list[Answer] = []

    def overtake() -> None:
        seconds.append(service.post(BODY, key="k"))
        lose_connection()

    service.intercept(operation, overtake)
    assert service.post(BODY, key="k").status == 503
    assert [answer.status for answer in seconds] == [202]
    assert service.read_job()["jobId"] == seconds[0].body["jobId"]
    assert service.read_messages() == [{"jobId": seconds[0].body["jobId"]}]


@pytest.mark.parametrize("operation", ["dynamodb.PutItem", "dynamodb.GetItem", "sqs.SendMessage"])
def test_a_failing_repeat_leaves_the_first_request_its_job(service: Service, operation: str) -> None:
    first = service.post(BODY, key="k")
    service.intercept(operation, lose_connection)
    assert service.post(BODY, key="k").status == 503
    assert service.read_job()["jobId"] == first.body["jobId"]


def test_a_failing_request_does_not_take_the_job_from_a_worker(service: Service) -> None:
    """The message may arrive though the answer to it does not."""

    def work() -> None:
        service.change_job(str(service.read_job()["jobId"]), receives="1", lastError="reset")
        lose_connection()

    service.intercept("sqs.SendMessage", work)
    assert service.post(BODY).status == 503
    assert service.read_job()["lastError"] == "reset"


def test_a_repeat_does_not_undo_what_a_worker_wrote_meanwhile(service: Service) -> None:
    job_id = str(service.post(BODY, key="k").body["jobId"])

    def work() -> None:
        service.intercept("dynamodb.PutItem", lambda: service.change_job(job_id, receives="1", lastError="reset"))

    service.intercept("sqs.SendMessage", work)
    assert service.post(BODY, key="k").status == 202
    assert service.read_job()["lastError"] == "reset"


@pytest.mark.parametrize("moment", ["dynamodb.GetItem", "s3.PutObject"])
def test_a_repeat_whose_first_job_disappears_makes_it_anew(service: Service, moment: str) -> None:
    job_id = str(service.post(BODY, key="k").body["jobId"])

    def delete() -> None:
        service.dynamodb.delete_item(TableName="jobs", Key={"jobId": {"S": job_id}})

    service.intercept(moment, delete)
    assert service.post(BODY, key="k").body == {"jobId": job_id, "status": "PENDING"}
    assert service.read_job()["jobId"] == job_id
