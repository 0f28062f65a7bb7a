"""Jobs from before there were owners get one, and no others."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient

from lib.zip_jobs.assign_owners import assign_owner, normalize_owner, run
from zip_enqueue.callers import normalize_arn

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")
ROLE = "arn:aws:iam::111122223333:role/Reports"


@pytest.fixture
def dynamodb() -> Iterator[DynamoDBClient]:
    with mock_aws():
        client = SESSION.client("dynamodb")
        client.create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for number in range(5):
            owner = {"owner": {"S": "anonymous"}} if number == 3 else {}
            client.put_item(TableName="jobs", Item={"jobId": {"S": f"job-{number}"}, **owner})
        yield client


def owners(client: DynamoDBClient) -> list[str | None]:
    items = sorted(client.scan(TableName="jobs")["Items"], key=lambda item: item["jobId"]["S"])
    return [item["owner"]["S"] if "owner" in item else None for item in items]


def test_nothing_is_changed_unless_told(dynamodb: DynamoDBClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(dynamodb, "jobs", ROLE, write=False) == 0
    assert owners(dynamodb) == [None, None, None, "anonymous", None]
    assert "4 jobs have no owner" in capsys.readouterr().out


def test_jobs_without_an_owner_get_one_once(dynamodb: DynamoDBClient, capsys: pytest.CaptureFixture[str]) -> None:
    for changed in (4, 0):
        assert run(dynamodb, "jobs", ROLE, write=True) == 0
        assert f"{changed} of {changed} jobs" in capsys.readouterr().out
    assert owners(dynamodb) == [ROLE, ROLE, ROLE, "anonymous", ROLE]


def test_a_job_that_got_an_owner_meanwhile_or_is_gone_is_left(dynamodb: DynamoDBClient) -> None:
    assert not assign_owner(dynamodb, "jobs", "job-3", ROLE)
    assert not assign_owner(dynamodb, "jobs", "gone", ROLE)
    assert len(owners(dynamodb)) == 5


@pytest.mark.parametrize(
    "owner", ["arn:aws:iam::111122223333:role/a/path/Reports", "arn:aws:iam::111122223333:user/b/c"]
)
def test_a_path_is_left_out_as_the_api_leaves_it_out(owner: str) -> None:
    assert normalize_owner(owner) == normalize_arn(owner)


@pytest.mark.parametrize(
    "owner", ["", "ann", "sub:ann", "arn:aws:sts::111122223333:assumed-role/R/s", "role/Reports", "cognito:"]
)
def test_an_owner_that_no_caller_has_is_refused(owner: str) -> None:
    with pytest.raises(ValueError, match="owner of no caller"):
        normalize_owner(owner)
