"""The Terraform as it is written: format, types, and what Terraform itself lets pass."""

import re
from pathlib import Path

import pytest

from inputs import find_packages, read_layers_of
from list_inputs import list_inputs, replace_section
from tests.infra.support.run_terraform import Terraform
from tests.support.emulator import ROOT

INFRA = ROOT / "infra"
NOT_DEPLOYED_YET: set[str] = set()
"""Packages whose service the README calls to come."""
MODULES = sorted([INFRA, *(INFRA / "modules").iterdir(), *(INFRA / "services").iterdir()])
ENVIRONMENTS = sorted((INFRA / "envs").glob("*.tfvars"))
_BLOCK = r'^{kind} "(\w+)" {{\n(.*?)^}}'


def find_blocks(kind: str, module: Path) -> dict[str, str]:
    """Bodies of a module's variable or output blocks, by name."""
    text = "\n".join(path.read_text() for path in sorted(module.glob("*.tf")))
    return dict(re.findall(_BLOCK.format(kind=kind), text, re.MULTILINE | re.DOTALL))


def test_formatted(terraform: Terraform) -> None:
    checked = terraform("fmt", "-check", "-recursive", "-diff")
    assert checked.returncode == 0, checked.stdout


def test_valid(terraform: Terraform) -> None:
    # Not the tests, which have providers of their own where a module wants two; they are run below.
    validated = terraform("validate", "-no-color", "-no-tests")
    assert validated.returncode == 0, validated.stderr
    assert "Warning" not in validated.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_every_variable_is_typed_and_everything_is_described(module: Path) -> None:
    variables, outputs = find_blocks("variable", module), find_blocks("output", module)
    assert variables
    assert outputs
    assert [name for name, body in variables.items() if not re.search(r"^  type +=", body, re.MULTILINE)] == []
    undescribed = [n for n, b in (variables | outputs).items() if not re.search(r"^  description +=", b, re.MULTILINE)]
    assert undescribed == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_every_variable_is_used(module: Path) -> None:
    text = "\n".join(path.read_text() for path in module.glob("*.tf") if path.name != "variables.tf")
    assert [name for name in find_blocks("variable", module) if f"var.{name}" not in text] == []


def read_common(service: Path) -> str:
    """Return the type of a service's `common`."""
    (found,) = re.findall(
        r"^  type = (object.*?^  \}\))$", find_blocks("variable", service)["common"], re.MULTILINE | re.DOTALL
    )
    return str(found)


def test_common_is_the_same_in_every_service_and_the_root_sets_all_of_it() -> None:
    # Terraform has no named types, and drops what an object's type does not name, without a word.
    types = {read_common(service) for service in (INFRA / "services").iterdir()}
    assert len(types) == 1
    attributes = set(re.findall(r"^    (\w+) += optional\(", types.pop(), re.MULTILINE))
    (given,) = re.findall(r"^  common = \{\n(.*?)^  \}", (INFRA / "main.tf").read_text(), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"^    (\w+) += ", given, re.MULTILINE)) | {"tags"} == attributes
    documented = re.findall(
        r"^\| `(\w+)` \|", (INFRA / "README.md").read_text().partition("| `common.` |")[2], re.MULTILINE
    )
    assert set(documented[: len(attributes)]) == attributes


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_module_names_only_settings_that_common_has(module: Path) -> None:
    # A name that the services' type lacks would have its default for ever.
    known = set(re.findall(r"^    (\w+) += optional\(", read_common(INFRA / "services/zip_jobs"), re.MULTILINE))
    block = find_blocks("variable", module).get("common", "")
    assert set(re.findall(r"^    (\w+) += optional\(", block, re.MULTILINE)) <= known


def test_local_and_remote_environments_are_all_there() -> None:
    assert [path.stem for path in ENVIRONMENTS] == ["dev", "local", "localstack", "prod", "staging"]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_sets_only_variables_that_exist(environment: Path) -> None:
    # Terraform only warns of the others, so a misspelt protection would silently be none.
    named = re.findall(r"^(\w+) +=", environment.read_text(), re.MULTILINE)
    assert "environment" in named
    assert set(named) <= set(find_blocks("variable", INFRA))


def test_outputs_are_the_contract() -> None:
    assert set(find_blocks("output", INFRA)) == {
        "aws_endpoint_url",
        "aws_region",
        "api_base",
        "zip_source_bucket",
        "zip_destination_bucket",
        "zip_queue_url",
        "zip_dlq_url",
        "zip_jobs_table",
        "csv_bucket",
        "csv_streamer_function",
        "aggregator_source_bucket",
        "distribution_bucket",
        "archive_bucket",
        "aggregator_queue_url",
        "aggregator_dlq_url",
        "idempotency_table",
        "data_aggregator_function",
        "xapi_bucket",
        "xapi_prefix",
        "xapi_queue_url",
        "xapi_dlq_url",
        "xapi_etl_function",
        "clickhouse_url",
        "clickhouse_database",
        "clickhouse_table",
        "dataset_bucket",
        "dataset_prefix",
        "dataset_url",
        "dataset_stream_url",
        "dataset_export_bucket",
        "dataset_download_function",
        "dataset_export_function",
        "dataset_deployment",
        "distribution_domain",
    }


@pytest.mark.parametrize(
    ("service", "setting"),
    [
        ("csv_streamer", "streamer"),
        ("data_aggregator", "aggregator"),
        ("dataset_download", "cdn"),
        ("dataset_download", "download"),
        ("xapi_etl", "clickhouse"),
        ("xapi_etl", "etl"),
        ("zip_jobs", "worker"),
    ],
)
def test_every_setting_of_a_function_can_be_set_at_the_root(service: str, setting: str) -> None:
    # Terraform drops what an object's type does not name, without a word.
    inner = find_blocks("variable", INFRA / "services" / service)[setting]
    outer = find_blocks("variable", INFRA)[service]
    attributes = re.compile(r"^ +(\w+) += optional\(", re.MULTILINE)
    assert len(attributes.findall(inner)) > 5
    # ClickHouse's address has a variable of its own there.
    assert set(attributes.findall(inner)) - {"url"} <= set(attributes.findall(outer))


def find_functions(package: str) -> list[str]:
    """Return the module blocks of a package's functions."""
    return [
        block
        for path in (INFRA / "services").glob("*/*.tf")
        for block in re.findall(r'^module "\w+" {\n(.*?)^}', path.read_text(), re.MULTILINE | re.DOTALL)
        if f"/{package}.zip" in block
    ]


def test_only_the_service_that_is_to_come_is_not_deployed() -> None:
    assert {package for package in find_packages(ROOT) if not find_functions(package)} == NOT_DEPLOYED_YET


@pytest.mark.parametrize("package", sorted(set(find_packages(ROOT)) - NOT_DEPLOYED_YET))
def test_function_has_the_layers_that_its_package_needs(package: str) -> None:
    blocks = find_functions(package)
    assert blocks
    for block in blocks:
        (arns,) = re.findall(r"^  layer_arns += \[(.*)\]$", block, re.MULTILINE)
        assert re.findall(r'module\.layer\["(\w+)"\]\.arn', arns) == read_layers_of(ROOT, package)


def test_every_input_is_in_the_readme() -> None:
    text = (INFRA / "README.md").read_text()
    assert replace_section(text, list_inputs()) == text, "run scripts/list_inputs.py"
    inputs = list_inputs()
    for variable, body in find_blocks("variable", INFRA).items():
        names = {variable, *re.findall(r"^ +(\w+) += optional\(", body, re.MULTILINE)}
        assert [name for name in names if not re.search(rf"`(?:\w+\.)*{name}`", inputs)] == []
