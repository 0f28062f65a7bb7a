"""The stand-in's DynamoDB, as the aggregator's claims see it."""

from typing import Any

import boto3
import pytest

from data_aggregator.claims.table import Change, Claim, ClaimTable
from tests.bench.fakes.dynamodb_table import UnknownConditionError, holds
from tests.bench.fakes.fake_s3_client import FakeS3Client

CLAIM = Claim("INPROGRESS", 1, 2, "bucket", "bundle", "upload")
DONE = Claim("COMPLETED", 1, 2, "bucket", "bundle", "upload")


@pytest.fixture
def dynamodb(fake_s3: FakeS3Client) -> Any:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    return session.client("dynamodb", endpoint_url=f"http://127.0.0.1:{fake_s3.port}")


def test_claims_are_made_changed_and_released_only_from_what_they_were(dynamodb: Any) -> None:
    table = ClaimTable(dynamodb, "any")
    ids = [f"claims-{number}" for number in range(250)]
    assert table.swap([Change(each, None, CLAIM) for each in ids]) == {}
    assert table.swap([Change(each, CLAIM, DONE) for each in ids[:200]]) == {}
    # Those that are done already are found so, the others can be released.
    assert table.swap([Change(each, CLAIM, None) for each in ids]) == dict.fromkeys(ids[:200], DONE)
    assert table.swap([Change(each, None, CLAIM) for each in ids]) == dict.fromkeys(ids[:200], DONE)


def test_other_conditions_are_refused_rather_than_guessed() -> None:
    item = {"a": {"S": "1"}}
    request = {"ExpressionAttributeNames": {"#a": "a"}, "ExpressionAttributeValues": {":b": {"S": "1"}}}
    assert holds("", request, item)
    assert holds("#a = :b AND attribute_not_exists(c)", request, item)
    assert not holds("attribute_not_exists(#a)", request, item)
    with pytest.raises(UnknownConditionError):
        holds("a > :b", request, item)


def test_other_operations_are_refused(dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.ClientError, match="UnknownOperation"):
        dynamodb.scan(TableName="any")
