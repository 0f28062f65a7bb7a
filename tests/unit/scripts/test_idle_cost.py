"""The cost of an idle environment matches the price list."""

from typing import Any

import pytest

from idle_cost import compute, count_runs, describe
from mocked_deployment import DeploymentError, Resource, deploy


def resource(kind: str, name: str = "this", module: str = "module.m", **values: Any) -> Resource:
    return Resource(f"{module}.{kind}.{name}", kind, values)


@pytest.mark.parametrize(
    ("schedule", "runs"),
    [
        ("rate(5 minutes)", 8640),
        ("rate(1 minute)", 43200),
        ("rate(2 hours)", 360),
        ("rate(1 day)", 30),
        ("cron(0 5 * * ? *)", 30),
    ],
)
def test_schedules_are_counted(schedule: str, runs: int) -> None:
    assert count_runs(schedule) == runs


def test_each_kind_is_priced_and_what_is_free_is_taken_off() -> None:
    metric = {"metric": [{"metric_name": "x"}]}
    made = [
        *[resource("aws_cloudwatch_metric_alarm", str(number)) for number in range(11)],
        resource("aws_cloudwatch_metric_alarm", "rate", metric_query=[{"metric": []}, metric, metric]),
        *[resource("aws_cloudwatch_dashboard", str(number)) for number in range(4)],
        resource("aws_lambda_event_source_mapping"),
        resource("aws_cloudwatch_event_rule", "settle", schedule_expression="rate(5 minutes)"),
        resource("aws_lambda_function", module="module.m.module.settler", memory_size=512),
        resource("aws_lambda_function", module="module.m.module.worker", memory_size=2048),
        resource(
            "aws_s3_bucket_replication_configuration", rule=[{"status": "Enabled", "destination": [{"metrics": [{}]}]}]
        ),
        resource("aws_kms_key"),
    ]
    items = {item.name: item for item in compute(made)}
    assert items["alarms"].dollars == pytest.approx(1.30)
    assert items["alarms"].beyond_free == pytest.approx(0.30)
    assert items["dashboards"].dollars == pytest.approx(12.0)
    assert items["dashboards"].beyond_free == pytest.approx(3.0)
    assert items["queue polling"].dollars == pytest.approx(648_000 * 0.4e-6)
    assert items["schedules"].dollars == pytest.approx(8640 * (0.2e-6 + 0.5 * 0.0000166667))
    assert items["replication metrics"].dollars == pytest.approx(1.2)
    assert items["KMS keys"].beyond_free == pytest.approx(1.0)
    assert "together" in list(describe("x", list(items.values())))[-2]


def test_nothing_costs_nothing() -> None:
    assert sum(item.dollars for item in compute([])) == 0


def test_environment_that_is_not_there_is_named() -> None:
    with pytest.raises(DeploymentError, match=r"infra/envs/nowhere\.tfvars"):
        deploy("nowhere")
