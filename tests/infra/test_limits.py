"""Every environment against AWS's limits, which infra/aws_limits.json lists, and against the advice on queues."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from idle_cost import compute, describe
from mocked_deployment import DeploymentError, Resource, deploy
from tests.support.emulator import ROOT
from tests.support.tiers import few_quick

INFRA = ROOT / "infra"
LIMITS = {name: limit["value"] for name, limit in json.loads((INFRA / "aws_limits.json").read_text()).items()}
ENVIRONMENTS = ["dev", "prod", "staging"]
FAILURE_QUEUES = r"(?:dead_letters|failures(?:\[0\])?)\.aws_sqs_queue"
VISIBILITY_BY_MESSAGE = {"zip_jobs"}
"""Services whose worker sets each message's visibility itself, so that the queue's is a single timeout."""


@cache
def resources(environment: str) -> tuple[Resource, ...]:
    return tuple(deploy(environment))


def find(environment: str, kind: str) -> list[Resource]:
    found = [resource for resource in resources(environment) if resource.type == kind]
    assert found, f"{environment} makes no {kind}"
    return found


def service_of(resource: Resource) -> str:
    return resource.address.split(".")[1].partition("[")[0]


def read_account_concurrency(environment: str) -> int:
    text = (INFRA / f"envs/{environment}.tfvars").read_text()
    declared = re.search(r"^account_concurrency += (\d+)", text, re.MULTILINE)
    return int(declared[1]) if declared else LIMITS["lambda_concurrent_executions_new_account"]


def find_worker(environment: str, service: str) -> dict[str, Any]:
    """The function that takes the queue's messages."""
    functions = [one for one in find(environment, "aws_lambda_function") if service_of(one) == service]
    (worker,) = [one for one in functions if re.search(r"module\.(worker|function)\b", one.address)]
    return worker.values


def test_every_limit_has_a_value_a_unit_a_user_and_a_source() -> None:
    for limit in json.loads((INFRA / "aws_limits.json").read_text()).values():
        assert set(limit) == {"value", "unit", "relied_on_by", "source"}
        assert limit["value"] > 0
        assert all(limit[name] for name in ("unit", "relied_on_by", "source"))


@pytest.mark.parametrize("environment", few_quick(ENVIRONMENTS))
def test_queues_start_no_more_than_the_account_can_run(environment: str) -> None:
    sources = find(environment, "aws_lambda_event_source_mapping")
    most = [source.values["scaling_config"][0]["maximum_concurrency"] for source in sources]
    assert sum(most) <= 0.8 * read_account_concurrency(environment), "the rest is for APIs, downloads and schedules"
    low, high = (LIMITS[f"lambda_event_source_maximum_concurrency_{end}"] for end in ("minimum", "maximum"))
    assert all(low <= number <= high for number in most)


@pytest.mark.parametrize("environment", few_quick(ENVIRONMENTS))
def test_no_message_runs_out_of_receives_while_it_waits_for_a_function(environment: str) -> None:
    policies = find(environment, "aws_sqs_queue_redrive_policy")
    for policy in policies:
        assert json.loads(policy.values["redrive_policy"])["maxReceiveCount"] >= LIMITS["sqs_receives_minimum"]
    queues = [one for one in find(environment, "aws_sqs_queue") if not re.search(FAILURE_QUEUES, one.address)]
    assert len(queues) == len(policies)
    for queue in queues:
        timeout = find_worker(environment, service_of(queue))["timeout"]
        times = 1 if service_of(queue) in VISIBILITY_BY_MESSAGE else LIMITS["sqs_visibility_timeouts_of_function"]
        assert queue.values["visibility_timeout_seconds"] >= times * timeout
        assert queue.values["visibility_timeout_seconds"] <= LIMITS["sqs_visibility_timeout_maximum"]


@pytest.mark.parametrize("environment", few_quick(ENVIRONMENTS))
def test_batches_are_such_as_lambda_takes(environment: str) -> None:
    for source in find(environment, "aws_lambda_event_source_mapping"):
        window = source.values["maximum_batching_window_in_seconds"] or 0
        assert source.values["batch_size"] <= LIMITS["lambda_event_source_batch_size_maximum"]
        assert window <= LIMITS["lambda_event_source_batching_window_maximum"]
        assert window >= 1 or source.values["batch_size"] <= LIMITS["lambda_event_source_batch_size_without_window"]


@pytest.mark.parametrize("environment", few_quick(ENVIRONMENTS))
def test_functions_are_such_as_lambda_takes(environment: str) -> None:
    reserved = 0
    for function in find(environment, "aws_lambda_function"):
        values = function.values
        assert values["timeout"] <= LIMITS["lambda_timeout_maximum"]
        assert LIMITS["lambda_memory_minimum"] <= values["memory_size"] <= LIMITS["lambda_memory_maximum"]
        for storage in values["ephemeral_storage"] or []:
            low, high = (LIMITS[f"lambda_ephemeral_storage_{end}"] for end in ("minimum", "maximum"))
            assert low <= storage["size"] <= high
        assert len(values["layers"] or []) <= LIMITS["lambda_layers"]
        assert len(values["function_name"]) <= LIMITS["lambda_function_name_length"]
        variables = values["environment"][0]["variables"]
        assert (
            sum(len(f"{name}{value}".encode()) for name, value in variables.items())
            <= LIMITS["lambda_environment_bytes"] / 2
        )
        reserved += max(0, values["reserved_concurrent_executions"])
    left = read_account_concurrency(environment) - reserved
    assert reserved == 0 or left >= LIMITS["lambda_unreserved_concurrency_minimum"]
    for name in ("enqueue", "status"):
        (function,) = [one for one in find(environment, "aws_lambda_function") if f"module.{name}." in one.address]
        assert function.values["timeout"] <= LIMITS["api_gateway_integration_timeout"]
    for config in find(environment, "aws_lambda_function_event_invoke_config"):
        assert (config.values["maximum_event_age_in_seconds"] or 0) <= LIMITS["lambda_asynchronous_event_age_maximum"]


@pytest.mark.parametrize("environment", few_quick(ENVIRONMENTS))
def test_names_fit(environment: str) -> None:
    kinds = {
        "aws_sqs_queue": ("name", "sqs_queue_name_length"),
        "aws_s3_bucket": ("bucket", "s3_bucket_name_length"),
        "aws_iam_role": ("name", "iam_role_name_length"),
    }
    for kind, (field, limit) in kinds.items():
        assert all(len(resource.values[field]) <= LIMITS[limit] for resource in find(environment, kind))


@pytest.mark.parametrize("environment", few_quick(ENVIRONMENTS))
def test_logs_explain_dead_letters_for_as_long_as_these_are_kept(environment: str) -> None:
    queues = find(environment, "aws_sqs_queue")
    kept = max(queue.values["message_retention_seconds"] for queue in queues)
    assert kept <= LIMITS["sqs_retention_maximum"]
    for group in find(environment, "aws_cloudwatch_log_group"):
        assert group.values["retention_in_days"] * 86_400 >= kept, group.address


@pytest.mark.parametrize("environment", few_quick(ENVIRONMENTS))
def test_idle_cost_is_what_the_resources_cost(environment: str) -> None:
    items = {item.name: item for item in compute(resources(environment))}
    alarms = find(environment, "aws_cloudwatch_metric_alarm")
    assert items["alarms"].dollars >= 0.10 * len(alarms)
    assert items["queue polling"].dollars == pytest.approx(3 * 5 * 3 * 60 * 24 * 30 * 0.40 / 1e6)
    assert ("dashboards", 3.0 if environment != "dev" else 0.0) == ("dashboards", items["dashboards"].dollars)
    lines = list(describe(environment, list(items.values())))
    assert float(lines[-2].split()[1]) == pytest.approx(sum(item.dollars for item in items.values()), abs=0.006)


def test_dev_has_few_alarms_and_all_of_them_tell_of_what_was_given_up() -> None:
    alarms = find("dev", "aws_cloudwatch_metric_alarm")
    assert {alarm.values["metric_name"] for alarm in alarms} == {"ApproximateNumberOfMessagesVisible"}
    assert len(alarms) == len([one for one in find("dev", "aws_sqs_queue") if re.search(FAILURE_QUEUES, one.address)])
    assert sum(item.beyond_free for item in compute(resources("dev"))) < 1.0


def test_bundles_go_to_the_archive_class_and_manifests_stay() -> None:
    found = [one for one in find("dev", "aws_s3_bucket_lifecycle_configuration") if "archive_bucket" in one.address]
    rules = [rule for one in found for rule in one.values["rule"] if rule["transition"]]
    # Bundles' keys begin with a year; manifests are under _manifests/.
    assert [rule["filter"][0]["prefix"] for rule in rules] == ["2"]


def move_to_china(infra: Path) -> None:
    """Have the mocks answer as in Beijing."""
    mocks = infra / "tests/mocks/aws.tfmock.hcl"
    text = mocks.read_text().replace("arn:aws:", "arn:aws-cn:").replace('"aws"', '"aws-cn"')
    text = text.replace("amazonaws.com", "amazonaws.com.cn").replace("eu-west-1", "cn-north-1")
    mocks.write_text(text)
    test = infra / "tests/environments.tftest.hcl"
    test.write_text(test.read_text().replace("eu-west-1", "cn-north-1"))


def test_in_another_partition_nothing_names_the_commercial_one() -> None:
    made = deploy("dev", move_to_china)
    adapter = [one for one in made if one.address.endswith("module.download.aws_lambda_function.this")]
    assert "arn:aws-cn:lambda:cn-north-1:041581134020:layer:LambdaAdapterLayerX86:26" in adapter[0].values["layers"]
    for resource in made:
        text = json.dumps(resource.values)
        assert "arn:aws:" not in text, resource.address
        hosts = set(re.findall(r"[\w.-]+\.amazonaws\.com(?!\.cn)", text))
        assert {host for host in hosts if not re.fullmatch(r"[a-z0-9]+\.amazonaws\.com", host)} == set(), (
            resource.address
        )


@pytest.mark.slow
def test_where_no_adapter_is_published_the_plan_says_what_to_do() -> None:
    def move_to_govcloud(infra: Path) -> None:
        mocks = infra / "tests/mocks/aws.tfmock.hcl"
        text = mocks.read_text().replace("arn:aws:", "arn:aws-us-gov:").replace('"aws"', '"aws-us-gov"')
        mocks.write_text(text.replace("eu-west-1", "us-gov-west-1"))

    with pytest.raises(DeploymentError, match="web_adapter_layer_arn"):
        deploy("dev", move_to_govcloud)


@pytest.mark.slow
def test_more_than_the_account_runs_is_refused_at_plan() -> None:
    def want_more(infra: Path) -> None:
        path = infra / "envs/dev.tfvars"
        path.write_text(path.read_text() + "\ndata_aggregator = { maximum_concurrency = 5 }\n")

    with pytest.raises(DeploymentError, match="add up to 9, more than four fifths of account_concurrency"):
        deploy("dev", want_more)


def test_source_names_no_partition() -> None:
    for path in INFRA.rglob("*.tf"):
        text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
        assert not re.search(r'"arn:aws[:-]', text), path
        hosts = set(re.findall(r"[\w.${}-]+\.amazonaws\.com(?:\.cn)?", text))
        assert {host for host in hosts if not re.fullmatch(r"[a-z0-9]+\.amazonaws\.com", host)} <= {
            ".s3.amazonaws.com"
        }, path


def test_every_module_takes_provider_5_and_6() -> None:
    versions = [path.read_text() for path in INFRA.rglob("versions.tf")]
    assert len(versions) == 18
    assert all(
        'version = ">= 5.100, < 7"' in text or re.search(r'version += ">= 5.100, < 7"', text) for text in versions
    )
    # Deprecated in 6 in favour of a name that 5 has not; the id is the same in both.
    assert [path for path in INFRA.rglob("*.tf") if re.search(r"aws_region\.\w+\.name\b", path.read_text())] == []


@pytest.mark.parametrize("environment", few_quick(ENVIRONMENTS))
def test_answers_are_such_as_lambda_passes_on(environment: str) -> None:
    (download,) = [one for one in find(environment, "aws_lambda_function") if "module.download." in one.address]
    variables = download.values["environment"][0]["variables"]
    assert int(variables["STREAM_LIMIT_MB"]) * 2**20 <= LIMITS["lambda_streamed_response_bytes"]
    assert float(variables["BUFFER_LIMIT_MB"]) * 2**20 <= LIMITS["lambda_synchronous_payload_bytes"]
