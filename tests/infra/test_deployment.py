"""The Terraform as it is applied: to an emulator of its own, with placeholder functions."""

import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from tests.infra.support.run_terraform import Terraform
from tests.support.emulator import run_emulator

# The provider mostly waits, and for each bucket and queue for itself.
AT_ONCE = "-parallelism=40"
PACKAGES = (
    "csv_streamer",
    "data_aggregator",
    "dataset_download",
    "xapi_etl",
    "zip_enqueue",
    "zip_status",
    "zip_worker",
)
HANDLER = """
import json
def lambda_handler(event, context):
    return {"statusCode": 200, "body": json.dumps([context.function_name, event.get("routeKey")])}
"""


def write_packages(folder: Path) -> list[str]:
    """Write the zips that the configuration names, answering with the function's name; gives the variables."""
    for package in PACKAGES:
        modules = ("app", "dead_letters", "exporter")
        write_zip(folder / f"lambdas/{package}.zip", {f"{package}/{module}.py": HANDLER for module in modules})
    for layer in ("aiohttp", "dataset", "isal", "powertools", "pydantic", "tracer", "xapi", "zstd"):
        write_zip(folder / f"layers/{layer}.zip", {f"python/{layer}_placeholder.py": ""})
    return [f"-var=lambda_zip_dir={folder}/lambdas", f"-var=layer_zip_dir={folder}/layers"]


def write_zip(path: Path, files: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_emulator(tmp_path_factory.mktemp("ministack")) as running:
        yield running


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, address: str) -> list[str]:
    folder = tmp_path_factory.mktemp("build")
    target = [f"-state={folder}/local.tfstate", "-var-file=envs/local.tfvars", f"-var=aws_endpoint_url={address}"]
    return ["-input=false", "-no-color", *target, *write_packages(folder)]


@pytest.fixture(scope="module")
def outputs(terraform: Terraform, settings: list[str]) -> dict[str, str]:
    applied = terraform("apply", "-auto-approve", AT_ONCE, *settings)
    assert applied.returncode == 0, applied.stderr
    shown = terraform("output", "-json", settings[2])
    return {name: output["value"] for name, output in json.loads(shown.stdout).items()}


@pytest.mark.parametrize(
    ("method", "path", "route", "function"),
    [
        ("POST", "/zip-jobs", "POST /zip-jobs", "sluice-local-zip-enqueue"),
        ("GET", "/zip-jobs?limit=1", "GET /zip-jobs", "sluice-local-zip-status"),
        ("GET", "/zip-jobs/one", "GET /zip-jobs/{jobId}", "sluice-local-zip-status"),
        ("DELETE", "/zip-jobs/one", "DELETE /zip-jobs/{jobId}", "sluice-local-zip-status"),
        ("GET", "/elsewhere", "$default", "sluice-local-zip-status"),
    ],
)
def test_route_reaches_its_function(outputs: dict[str, str], method: str, path: str, route: str, function: str) -> None:
    body = b"{}" if method == "POST" else None
    with urlopen(Request(outputs["api_base"] + path, data=body, method=method), timeout=30) as answer:
        assert json.load(answer) == [function, route]


def test_outputs_name_what_was_made(outputs: dict[str, str], address: str) -> None:
    assert outputs["aws_endpoint_url"] == address
    client = make_clients(address)
    client["s3"].head_bucket(Bucket=outputs["zip_source_bucket"])
    client["s3"].head_bucket(Bucket=outputs["zip_destination_bucket"])
    assert client["dynamodb"].describe_table(TableName=outputs["zip_jobs_table"])["Table"]["TableStatus"] == "ACTIVE"
    names = ["RedrivePolicy", "VisibilityTimeout"]
    queue = client["sqs"].get_queue_attributes(QueueUrl=outputs["zip_queue_url"], AttributeNames=names)["Attributes"]
    dead = client["sqs"].get_queue_attributes(QueueUrl=outputs["zip_dlq_url"], AttributeNames=["QueueArn"])[
        "Attributes"
    ]
    assert json.loads(queue["RedrivePolicy"]) == {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": 5}


def test_destination_bucket_forgets_key_lists_and_stale_uploads(outputs: dict[str, str], address: str) -> None:
    bucket = outputs["zip_destination_bucket"]
    rules = make_clients(address)["s3"].get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    by_name = {rule["ID"]: rule for rule in rules if rule["Status"] == "Enabled"}
    assert by_name["expire-key-lists"]["Filter"]["Prefix"] == ".zip-jobs/"
    assert by_name["expire-key-lists"]["Expiration"]["Days"] == 7
    assert by_name["abort-stale-uploads"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 2


def test_streamer_has_the_settings_of_the_environment(outputs: dict[str, str], address: str) -> None:
    function = make_clients(address)["lambda"].get_function_configuration(FunctionName=outputs["csv_streamer_function"])
    settings = function["Environment"]["Variables"]
    assert settings["BUCKET_NAME"] == outputs["csv_bucket"]
    assert (settings["ALLOW_PRIVATE_HOSTS"], settings["PROGRESS_SECONDS"]) == ("true", "1")
    assert "SUFFIX_MAP" not in settings  # its default is the function's own


def test_streamer_may_go_on_by_itself_and_failures_are_kept(outputs: dict[str, str], address: str) -> None:
    client, name = make_clients(address), outputs["csv_streamer_function"]
    assert client["lambda"].get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    config = client["lambda"].get_function_event_invoke_config(FunctionName=name)
    queue = config["DestinationConfig"]["OnFailure"]["Destination"].split(":")[-1]
    assert client["sqs"].get_queue_url(QueueName=queue)


def test_streamer_forgets_the_states_of_runs(outputs: dict[str, str], address: str) -> None:
    rules = make_clients(address)["s3"].get_bucket_lifecycle_configuration(Bucket=outputs["csv_bucket"])["Rules"]
    (rule,) = [rule for rule in rules if rule["ID"] == "expire-run-states"]
    assert (rule["Filter"]["Prefix"], rule["Expiration"]["Days"]) == (".csv-streamer/", 7)


def test_new_source_reaches_the_aggregators_queue(outputs: dict[str, str], address: str) -> None:
    client = make_clients(address)
    told = client["s3"].get_bucket_notification_configuration(Bucket=outputs["aggregator_source_bucket"])
    queue = client["sqs"].get_queue_attributes(QueueUrl=outputs["aggregator_queue_url"], AttributeNames=["All"])
    (rule,) = told["QueueConfigurations"]
    assert (rule["QueueArn"], rule["Events"]) == (queue["Attributes"]["QueueArn"], ["s3:ObjectCreated:*"])
    (statement,) = json.loads(queue["Attributes"]["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"].endswith(f":{outputs['aggregator_source_bucket']}")
    assert queue["Attributes"]["VisibilityTimeout"] == "1800"  # six times the function's timeout


def test_aggregator_takes_large_batches(outputs: dict[str, str], address: str) -> None:
    (mapping,) = make_clients(address)["lambda"].list_event_source_mappings(
        FunctionName=outputs["data_aggregator_function"]
    )["EventSourceMappings"]
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (1000, 2)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_bundle_is_copied_to_the_archive_and_moves_on_from_there(outputs: dict[str, str], address: str) -> None:
    client = make_clients(address)["s3"]
    client.put_object(Bucket=outputs["distribution_bucket"], Key="2026/01/01/00/bundle.gz", Body=b"bundle")
    copy = client.get_object(Bucket=outputs["archive_bucket"], Key="2026/01/01/00/bundle.gz")
    assert copy["Body"].read() == b"bundle"
    rules = client.get_bucket_lifecycle_configuration(Bucket=outputs["archive_bucket"])["Rules"]
    (rule,) = [rule for rule in rules if rule["ID"] == "transition-archive"]
    assert rule["Transitions"] == [{"Days": 30, "StorageClass": "GLACIER"}]


def test_sources_are_remembered_for_a_time(outputs: dict[str, str], address: str) -> None:
    lived = make_clients(address)["dynamodb"].describe_time_to_live(TableName=outputs["idempotency_table"])
    assert lived["TimeToLiveDescription"]["AttributeName"] == "expiration"


def test_new_statements_reach_the_etls_queue_and_others_do_not(outputs: dict[str, str], address: str) -> None:
    client = make_clients(address)
    told = client["s3"].get_bucket_notification_configuration(Bucket=outputs["xapi_bucket"])
    queue = client["sqs"].get_queue_attributes(QueueUrl=outputs["xapi_queue_url"], AttributeNames=["All"])
    (rule,) = told["QueueConfigurations"]
    assert (rule["QueueArn"], rule["Events"]) == (queue["Attributes"]["QueueArn"], ["s3:ObjectCreated:*"])
    (filtered,) = rule["Filter"]["Key"]["FilterRules"]
    assert (filtered["Name"].lower(), filtered["Value"]) == ("prefix", outputs["xapi_prefix"])
    assert queue["Attributes"]["VisibilityTimeout"] == "720"  # six times the function's timeout


def test_etl_knows_its_clickhouse_and_its_queues(outputs: dict[str, str], address: str) -> None:
    function = make_clients(address)["lambda"].get_function_configuration(FunctionName=outputs["xapi_etl_function"])
    settings = function["Environment"]["Variables"]
    assert settings["CLICKHOUSE_URL"] == outputs["clickhouse_url"] == "http://127.0.0.1:4568"
    assert (settings["CLICKHOUSE_DATABASE"], settings["CLICKHOUSE_TABLE"]) == ("xapi", "statements")
    assert (settings["FAILURE_DLQ_URL"], settings["MAX_RECEIVES"]) == (outputs["xapi_dlq_url"], "5")


@pytest.mark.parametrize(
    ("output", "name"),
    [("xapi_etl_function", "sluice-local-xapi-xapi"), ("dataset_export_function", "sluice-local-data-dataset")],
)
def test_large_layer_travels_through_a_bucket(outputs: dict[str, str], address: str, output: str, name: str) -> None:
    client = make_clients(address)
    (bucket,) = [each["Name"] for each in client["s3"].list_buckets()["Buckets"] if "-layers-" in each["Name"]]
    (package,) = client["s3"].list_objects_v2(Bucket=bucket, Prefix=f"layers/{name}-")["Contents"]
    function = client["lambda"].get_function_configuration(FunctionName=outputs[output])
    (layer,) = [each for each in function["Layers"] if f":layer:{name}:" in each["Arn"]]
    assert layer["CodeSize"] == package["Size"]


def test_url_reaches_the_download_function(outputs: dict[str, str]) -> None:
    with urlopen(f"{outputs['dataset_url']}/datasets.json", timeout=30) as answer:
        assert json.load(answer) == ["sluice-local-dataset-download", "$default"]
    assert outputs["dataset_stream_url"] == "http://127.0.0.1:4569"
    assert outputs["distribution_domain"] == ""


def test_old_datasets_and_exports_are_not_kept_for_ever(outputs: dict[str, str], address: str) -> None:
    client = make_clients(address)["s3"]
    rules = {
        bucket: {
            rule["ID"]: rule for rule in client.get_bucket_lifecycle_configuration(Bucket=outputs[bucket])["Rules"]
        }
        for bucket in ("dataset_bucket", "dataset_export_bucket")
    }
    old = rules["dataset_bucket"]["expire-noncurrent-versions"]["NoncurrentVersionExpiration"]
    exports = rules["dataset_export_bucket"]["expire-exports"]
    assert old["NoncurrentDays"] == 90
    assert (exports["Filter"]["Prefix"], exports["Expiration"]["Days"]) == ("exports/", 2)


def test_failed_exports_are_kept(outputs: dict[str, str], address: str) -> None:
    client, name = make_clients(address), outputs["dataset_export_function"]
    config = client["lambda"].get_function_event_invoke_config(FunctionName=name)
    queue = config["DestinationConfig"]["OnFailure"]["Destination"].split(":")[-1]
    assert client["sqs"].get_queue_url(QueueName=queue)


def test_provider_is_not_answered_before_it_has_seen_the_end_of_what_it_writes(address: str) -> None:
    headers = {"User-Agent": "terraform-provider-aws/5.100.0", "X-Amz-Target": "AmazonSQS.ListQueues"}
    began = time.monotonic()
    with urlopen(Request(address, data=b"{}", headers=headers), timeout=30) as answer:
        assert answer.status == 200
    assert time.monotonic() - began >= 0.02


@pytest.mark.usefixtures("outputs")
def test_second_plan_is_empty(terraform: Terraform, settings: list[str]) -> None:
    planned = terraform("plan", "-detailed-exitcode", *settings)
    assert planned.returncode == 0, planned.stdout


# Last in the file: what the others look at is gone afterwards.
@pytest.mark.usefixtures("outputs")
def test_destroy_leaves_nothing(terraform: Terraform, settings: list[str], address: str) -> None:
    destroyed = terraform("destroy", "-auto-approve", AT_ONCE, *settings)
    assert destroyed.returncode == 0, destroyed.stderr
    assert list_resources(address) == []


def make_clients(address: str) -> dict[str, Any]:
    services = ("apigatewayv2", "dynamodb", "events", "iam", "lambda", "logs", "s3", "sqs")
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    connect: Any = session.client  # its overloads want literal names
    return {name: connect(name, endpoint_url=address) for name in services}


def list_resources(address: str) -> list[object]:
    """Everything that the configuration makes, of all kinds, whatever its name."""
    client = make_clients(address)
    return [
        *client["apigatewayv2"].get_apis()["Items"],
        *client["dynamodb"].list_tables()["TableNames"],
        *client["events"].list_rules()["Rules"],
        *client["iam"].list_roles()["Roles"],
        *client["lambda"].list_functions()["Functions"],
        *client["lambda"].list_layers()["Layers"],
        *client["lambda"].list_event_source_mappings()["EventSourceMappings"],
        *client["logs"].describe_log_groups()["logGroups"],
        *client["s3"].list_buckets()["Buckets"],
        *client["sqs"].list_queues().get("QueueUrls", []),
    ]
