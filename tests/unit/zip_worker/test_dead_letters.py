import time

import pytest
from botocore.exceptions import ClientError

from tests.unit.zip_worker.conftest import Aws, Context
from zip_worker import clients
from zip_worker.dead_letters import lambda_handler
from zip_worker.jobs.dead_jobs import fail_if_dead
from zip_worker.jobs.table import Busy, Ended, JobTable, Leased


@pytest.fixture(autouse=True)
def environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE_NAME", "jobs")
    monkeypatch.setenv("DLQ_URL", aws.dlq_url)


def visible(aws: Aws) -> list[str]:
    messages = aws.sqs.receive_message(QueueUrl=aws.dlq_url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [message["Body"] for message in messages.get("Messages", [])]


def send(aws: Aws, body: str) -> None:
    aws.sqs.send_message(QueueUrl=aws.dlq_url, MessageBody=body)


def test_job_whose_worker_died_on_the_last_receive_becomes_failed(aws: Aws) -> None:
    aws.put_job()
    aws.dynamodb.update_item(
        TableName="jobs",
        Key={"jobId": {"S": "job-1"}},
        UpdateExpression="SET leaseOwner = :o, leaseExpiresAt = :t",
        ExpressionAttributeValues={":o": {"S": "dead"}, ":t": {"N": str(time.time() - 1)}},
    )
    aws.s3.create_multipart_upload(Bucket="target", Key="zips/job-1.zip")
    send(aws, '{"jobId": "job-1"}')
    assert lambda_handler({}, Context(remaining_ms=60_000)) == {"settled": 1, "left": 0}
    job = aws.job()
    assert job["status"] == "FAILED"
    assert job["error"] == "the worker crashed or timed out on its last attempt; see its logs"
    assert "leaseOwner" not in job
    assert aws.uploads_in_progress() == 0
    assert visible(aws) == []


def test_job_that_a_worker_still_holds_is_left_alone(aws: Aws) -> None:
    aws.put_job()
    aws.dynamodb.update_item(
        TableName="jobs",
        Key={"jobId": {"S": "job-1"}},
        UpdateExpression="SET leaseOwner = :o, leaseExpiresAt = :t",
        ExpressionAttributeValues={":o": {"S": "alive"}, ":t": {"N": str(time.time() + 60)}},
    )
    send(aws, '{"jobId": "job-1"}')
    assert lambda_handler({}, Context(remaining_ms=60_000)) == {"settled": 0, "left": 1}
    assert aws.job()["status"] == "PENDING"


@pytest.mark.parametrize("status", ["READY", "FAILED", "CANCELLED"])
def test_message_of_an_ended_job_is_cleared_away(aws: Aws, status: str) -> None:
    aws.put_job(status=status)
    send(aws, '{"jobId": "job-1"}')
    assert lambda_handler({}, Context(remaining_ms=60_000)) == {"settled": 1, "left": 0}
    assert aws.job()["status"] == status


def test_job_whose_bucket_is_gone_does_not_stop_the_others(aws: Aws) -> None:
    aws.put_job("job-1", targetBucket="gone")
    aws.put_job("job-2")
    for job_id in ("job-1", "job-2"):
        send(aws, f'{{"jobId": "{job_id}"}}')
    assert lambda_handler({}, Context(remaining_ms=60_000)) == {"settled": 2, "left": 0}
    assert aws.job("job-1")["status"] == aws.job("job-2")["status"] == "FAILED"


def test_message_stays_while_the_job_table_does_not_answer(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttle(**_: object) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "UpdateItem")

    aws.put_job()
    send(aws, '{"jobId": "job-1"}')
    monkeypatch.setattr(clients.dynamodb_client(), "update_item", throttle)
    assert lambda_handler({}, Context(remaining_ms=60_000)) == {"settled": 0, "left": 1}
    assert visible(aws) == ['{"jobId": "job-1"}']


def test_what_names_no_job_stays_visible_for_a_human(aws: Aws) -> None:
    for body in ("poison", '{"jobId": "unknown"}'):
        send(aws, body)
    assert lambda_handler({}, Context(remaining_ms=60_000)) == {"settled": 0, "left": 2}
    assert sorted(visible(aws)) == ["poison", '{"jobId": "unknown"}']


def hand_on(aws: Aws, message_id: str, hops: int) -> None:
    """Take the job by one message, and hand it over to the next."""
    jobs = JobTable(aws.dynamodb, "jobs", f"worker/{message_id}", 60)
    assert isinstance(jobs.lease("job-1", message_id, 3), Leased)
    assert jobs.hand_over("job-1", hops, message_id)


def test_message_that_handed_its_job_over_long_ago_does_not_end_it(aws: Aws) -> None:
    """Its worker was killed before it could acknowledge it; by now the job is between two later invocations."""
    aws.put_job()
    for hops, message_id in enumerate(("first", "second"), 1):
        hand_on(aws, message_id, hops)
    for message_id in ("first", "second"):
        assert isinstance(fail_if_dead(aws.dynamodb, "jobs", "job-1", message_id), Busy)
    assert aws.job()["status"] == "PENDING"
    assert isinstance(fail_if_dead(aws.dynamodb, "jobs", "job-1", "third"), Ended), "its workers did not even start"


def test_message_that_took_up_what_it_had_handed_over_ends_the_job_by_its_death(aws: Aws) -> None:
    aws.put_job()
    hand_on(aws, "first", 1)
    jobs = JobTable(aws.dynamodb, "jobs", "worker/first", 0.001)
    assert isinstance(jobs.lease("job-1", "first", 3), Leased)
    time.sleep(0.01)
    assert isinstance(fail_if_dead(aws.dynamodb, "jobs", "job-1", "first"), Ended)
    assert aws.job()["status"] == "FAILED"
