"""The OpenAPI document as a judge of answers."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

PATH = Path(__file__).parents[3] / "docs/openapi/zip-jobs.yaml"
_NAME = "urn:zip-jobs"


@cache
def load_document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return document


def check_schema(value: object, *pointer: str) -> None:
    """Fail unless ``value`` is what the schema at ``pointer`` describes."""
    registry: Registry[Any] = Registry().with_resource(_NAME, DRAFT202012.create_resource(load_document()))
    fragment = "/".join(part.replace("~", "~0").replace("/", "~1") for part in ("", *pointer))
    validator = OAS31Validator(
        {"$ref": f"{_NAME}#{fragment}"}, registry=registry, format_checker=OAS31Validator.FORMAT_CHECKER
    )
    validator.validate(value)


def check_answer(route_key: str, answer: dict[str, Any]) -> None:
    """Fail unless a Lambda answer's status, headers and body are documented for the route."""
    headers, status = answer["headers"], str(int(answer["statusCode"]))
    body = json.loads(answer["body"])
    if route_key == "$default":
        assert headers["content-type"] == "application/problem+json"
        check_schema(body, "components", "schemas", "Problem")
        return
    method, path = route_key.split(" ")
    pointer = ["paths", path, method.lower(), "responses", status]
    response = _look_up(pointer)
    if "$ref" in response:
        pointer = response["$ref"].removeprefix("#/").split("/")
        response = _look_up(pointer)
    assert headers["content-type"] in response["content"]
    check_schema(body, *pointer, "content", headers["content-type"], "schema")
    for name, header in response.get("headers", {}).items():
        described = _look_up(header["$ref"].removeprefix("#/").split("/")) if "$ref" in header else header
        assert name.lower() in headers or not described["required"]
    if "problem" in headers["content-type"]:
        assert body["status"] == answer["statusCode"]


def _look_up(pointer: list[str]) -> dict[str, Any]:
    found = load_document()
    for part in pointer:
        found = found[part]
    return found
