"""Prints the monthly cost of an idle environment, from the resources in Terraform: `idle_cost.py dev`.

List prices of us-east-1 as of November 2026, in US dollars for 30 days. Storage is left out: it depends on the data.
Sources: aws.amazon.com/cloudwatch/pricing, /sqs/pricing, /lambda/pricing, /s3/pricing (replication metrics are billed
as custom metrics), /kms/pricing; "Using Lambda with Amazon SQS" (five pollers a source, long polling).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mocked_deployment import DeploymentError, Resource, deploy

_MINUTES = 30 * 24 * 60
_ALARM_METRIC, _CUSTOM_METRIC, _DASHBOARD = 0.10, 0.30, 3.00
_SQS_REQUEST = 0.40 / 1_000_000
_LAMBDA_REQUEST, _GB_SECOND = 0.20 / 1_000_000, 0.0000166667
_POLLERS = 5
_POLLS_A_MINUTE = 3
"""Long polling: each waits for 20 seconds."""
_REPLICATION_METRICS = 4
_IDLE_RUN_SECONDS = 1
"""Assumed duration of a scheduled function that finds nothing to do."""
_FREE = {"alarms": 10 * _ALARM_METRIC, "dashboards": 3 * _DASHBOARD, "replication metrics": 10 * _CUSTOM_METRIC}
_FREE |= {"queue polling": 1_000_000 * _SQS_REQUEST, "schedules": 1_000_000 * _LAMBDA_REQUEST + 400_000 * _GB_SECOND}
"""Free tier of an account per month, if nothing else uses it."""


@dataclass(frozen=True, slots=True)
class Item:
    """A resource that costs money while idle."""

    name: str
    arithmetic: str
    dollars: float

    @property
    def beyond_free(self) -> float:
        """Return the cost beyond the free tier in dollars."""
        return max(0.0, self.dollars - _FREE.get(self.name, 0.0))


def compute(resources: Sequence[Resource]) -> list[Item]:
    """Return the monthly cost of the resources."""

    def named(kind: str) -> list[Resource]:
        return [resource for resource in resources if resource.type == kind]

    metrics = sum(map(_count_metrics, named("aws_cloudwatch_metric_alarm")))
    dashboards = len(named("aws_cloudwatch_dashboard"))
    sources = len(named("aws_lambda_event_source_mapping"))
    polls = sources * _POLLERS * _POLLS_A_MINUTE * _MINUTES
    rules = sum(map(_count_replication_rules, named("aws_s3_bucket_replication_configuration")))
    keys = len(named("aws_kms_key"))
    return [
        Item("alarms", f"{metrics} metrics x ${_ALARM_METRIC:.2f}", metrics * _ALARM_METRIC),
        Item("dashboards", f"{dashboards} x ${_DASHBOARD:.2f}", dashboards * _DASHBOARD),
        Item(
            "queue polling",
            f"{sources} sources x {_POLLERS} pollers x {_POLLS_A_MINUTE}/min = {polls:,} receives x $0.40/million",
            polls * _SQS_REQUEST,
        ),
        _price_schedules(named("aws_cloudwatch_event_rule"), resources),
        Item(
            "replication metrics",
            f"{rules} rules x {_REPLICATION_METRICS} x ${_CUSTOM_METRIC:.2f}",
            rules * _REPLICATION_METRICS * _CUSTOM_METRIC,
        ),
        Item("KMS keys", f"{keys} x $1.00", float(keys)),
    ]


def _count_metrics(alarm: Resource) -> int:
    """Return how many metrics an alarm is charged for: each that its expression uses."""
    queries = alarm.values.get("metric_query") or []
    return sum(bool(query.get("metric")) for query in queries) or 1


def _count_replication_rules(configuration: Resource) -> int:
    destinations = [rule["destination"][0] for rule in configuration.values["rule"] if rule["status"] == "Enabled"]
    return sum(bool(destination.get("metrics")) for destination in destinations)


def _price_schedules(rules: Iterable[Resource], resources: Sequence[Resource]) -> Item:
    """Return the cost of scheduled invocations; EventBridge rules are free."""
    runs, seconds = 0, 0.0
    for rule in rules:
        times = count_runs(rule.values["schedule_expression"])
        runs += times
        seconds += times * _IDLE_RUN_SECONDS * _find_memory(rule, resources) / 1024
    dollars = runs * _LAMBDA_REQUEST + seconds * _GB_SECOND
    return Item("schedules", f"{runs:,} invocations of {_IDLE_RUN_SECONDS} s, {seconds:,.0f} GB-s", dollars)


def count_runs(schedule: str) -> int:
    """Return how often a schedule fires in 30 days; a cron expression counts as once a day."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    minutes = {"minute": 1, "hour": 60, "day": 24 * 60}
    return _MINUTES // (int(found[1]) * minutes[found[2]]) if found else 30


def _find_memory(rule: Resource, resources: Sequence[Resource]) -> int:
    """Return the memory, MB, of the function that a rule starts, by its name; else the largest of its module's."""
    module, _, name = rule.address.rpartition(".aws_cloudwatch_event_rule.")
    functions = [one for one in resources if one.type == "aws_lambda_function" and one.address.startswith(module)]
    namesakes = [one for one in functions if f".module.{name.partition('[')[0]}" in one.address]
    return max((one.values["memory_size"] for one in namesakes or functions), default=128)


def describe(environment: str, items: Sequence[Item]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{environment}, idle, US dollars a month (30 days, us-east-1, without storage; ClickHouse apart)"
    for item in items:
        yield f"  {item.name:<20} {item.dollars:6.2f}   {item.arithmetic}"
    yield f"  {'together':<20} {sum(item.dollars for item in items):6.2f}"
    rest = sum(item.beyond_free for item in items)
    yield f"  {'beyond the free tier':<20} {rest:6.2f}   if nothing else in the account uses it up"


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="idle_cost.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("environment", help="name of a file in infra/envs")
    chosen = parser.parse_args(arguments)
    try:
        resources = deploy(chosen.environment)
    except DeploymentError as error:
        print(f"idle_cost.py: {error}", file=sys.stderr)
        return 1
    print("\n".join(describe(chosen.environment, compute(resources))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
