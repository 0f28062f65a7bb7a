"""Dollars, checked by hand."""

import pytest

from tests.bench.contenders.invoke import count_units
from tests.bench.harness.comparison import OURS, REFERENCE, Row, make_row
from tests.bench.harness.ratios import Ratio
from tests.bench.report.cost import compute_cost, list_costs


def make(against: str, **further: object) -> Row:
    ratio = Ratio(2.0, 2.0, 2.0)
    return make_row("zip_jobs", "case", against, 1.0, ratio, rss_mb=1.0, s3_requests=3) | further


def test_cost_is_requests_and_gigabyte_seconds_at_list_prices() -> None:
    requests = {"GetObject": 1_000, "UploadPart": 20, "DeleteObject": 5, "SQS": 10, "DynamoDBWrite": 4}
    cost = compute_cost(requests, seconds=30.0, memory_mb=2048)
    # 1,000 x 0.0000004 + 20 x 0.000005 + 0 + 10 x 0.0000004 + 4 x 0.000000625, and one invocation
    assert cost.requests == pytest.approx(0.0004 + 0.0001 + 0.000004 + 0.0000025 + 0.0000002)
    # 2 GB for 30 s
    assert cost.compute == pytest.approx(60 * 0.0000166667)
    assert cost.total == pytest.approx(0.0005067 + 0.001000002)


def test_request_without_a_price_is_not_taken_for_free() -> None:
    with pytest.raises(KeyError, match="SelectObjectContent"):
        compute_cost({"SelectObjectContent": 1}, seconds=1.0, memory_mb=128)


def test_lines_are_for_ours_and_the_reference_and_count_what_is_around() -> None:
    bill = {"objects": 10, "size": 2_000_000, "memory_mb": 1024, "around": {"SQS": 3}}
    ours = {"seconds": 0.0, "requests": {"PutObject": 2, "SQS": 1}}
    theirs = {"seconds": 60.0, "requests": {}}
    rows = [
        make(REFERENCE, bill=bill, ours=ours, theirs=theirs),
        make("rclone", bill=bill, ours=ours, theirs=theirs),
        make(REFERENCE),
    ]
    first, second = list_costs(rows)
    assert (first.contender, second.contender) == (OURS, REFERENCE)
    assert first.cost.total == pytest.approx(2 * 0.000005 + 4 * 0.0000004 + 0.0000002)
    assert first.per_million_objects == pytest.approx(1.18)  # 0.0000118 / 10 x 1,000,000
    assert first.per_terabyte == pytest.approx(5.9)  # 0.0000118 / 2 MB x 1,000,000 MB
    assert second.cost.compute == pytest.approx(0.001000002)


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "units"),
    [
        ("dynamodb", "TransactWriteItems", {"TransactItems": [{}, {}, {}]}, {"DynamoDBWrite": 6}),
        ("dynamodb", "UpdateItem", {}, {"DynamoDBWrite": 1, "DynamoDBRead": 0}),
        ("dynamodb", "GetItem", {}, {"DynamoDBWrite": 0, "DynamoDBRead": 1}),
        ("sqs", "ChangeMessageVisibility", {}, {"SQS": 1}),
        ("s3", "GetObject", {}, {}),
    ],
)
def test_calls_are_counted_as_they_are_billed(
    service: str, operation: str, parameters: dict[str, object], units: dict[str, int]
) -> None:
    assert count_units(service, operation, parameters) == units
