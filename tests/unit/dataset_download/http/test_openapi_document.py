import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from starlette.types import ASGIApp

import dataset_download
from dataset_download.http import application
from tests.unit.dataset_download.asgi import call

ROOT = Path(__file__).parents[4]
PACKAGE = Path(dataset_download.__file__).parent
README = PACKAGE / "README.md"


def load_document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docs/openapi/dataset-download.yaml").read_text(encoding="utf-8"))
    return document


def test_the_document_is_openapi() -> None:
    document: Any = load_document()
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_the_served_document_is_the_written_one(app: ASGIApp) -> None:
    # After a change: json.dump of the YAML, with indent=1 and ensure_ascii=False, to http/openapi.json.
    assert call(app, "/openapi.json").json == load_document()


def test_every_route_is_documented() -> None:
    documented = set(load_document()["paths"])
    served = {path for path, _ in application._ROUTES}
    assert documented == served - {"/{rest:anything}"} | {"/{dataset}", "/{dataset}.{format}"}


def test_every_schema_is_used() -> None:
    text = str(load_document())
    for kind in ("schemas", "responses", "headers", "parameters"):
        for name in load_document()["components"][kind]:
            assert f"#/components/{kind}/{name}'" in text, name


def test_the_list_of_datasets_is_as_documented(app: ASGIApp) -> None:
    found = call(app, "/datasets.json").json
    OAS31Validator(load_document()["components"]["schemas"]["Dataset"]).validate(found["datasets"][0])
    (entry,) = found["datasets"]
    assert entry["formats"]["csv"] == "https://data.example.org/customers.csv"


def read_section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)^## ", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def test_the_readme_names_every_event_and_no_other() -> None:
    code = "".join(path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "logs.py")
    logged = set(re.findall(r"logger\.(?:debug|info|warning|error|exception)\(\s*\"([a-z_]+)\"", code))
    table = re.findall(r"^\| `([a-z_`, ]+)` \|", read_section("Log events"), re.MULTILINE)
    assert {name for cell in table for name in cell.replace("`", "").split(", ")} == logged


@pytest.mark.parametrize("pattern", [r"finish\(\s*\"([a-z_]+)\"", r"type End = Literal\[(.*)\]"])
def test_the_readme_names_every_outcome(pattern: str) -> None:
    code = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    found = [name for match in re.findall(pattern, code) for name in re.findall(r"[a-z_]+", match)]
    assert found
    for name in found:
        assert f"`{name}`" in read_section("Log events")


def test_the_readme_names_every_metric() -> None:
    code = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    names = set(re.findall(r"\b((?:Downloads|Rows|Bytes|Exports)[A-Za-z]*)=", code))
    told = re.findall(r"`([A-Z][A-Za-z]+)`", read_section("Log events").partition("Metrics")[2])
    assert names == set(told) - {"Sluice"}


def test_the_document_is_json_that_anyone_reads() -> None:
    document = json.loads((PACKAGE / "http/openapi.json").read_text(encoding="utf-8"))
    assert document["info"]["title"] == "Dataset download"
