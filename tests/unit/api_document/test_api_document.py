from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from tests.unit.api_document.api_document import check_schema, load_document


def list_examples(node: object, pointer: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    """Return every example in the document with the pointer to the schema beside it."""
    if not isinstance(node, dict):
        return []
    found: list[tuple[tuple[str, ...], object]] = []
    if "schema" in node:
        schema = (*pointer, "schema")
        found += [(schema, node["example"])] if "example" in node else []
        found += [(schema, example["value"]) for example in node.get("examples", {}).values()]
    for name, child in node.items():
        found += list_examples(child, (*pointer, name))
    return found


def test_the_document_is_openapi() -> None:
    document: Any = load_document()
    assert document["openapi"].startswith("3.1")
    validate(document)


@pytest.mark.parametrize(("pointer", "example"), list_examples(load_document()))
def test_every_example_fits_its_schema(pointer: tuple[str, ...], example: object) -> None:
    check_schema(example, *pointer)


def test_a_wrong_answer_is_noticed() -> None:
    with pytest.raises(Exception, match="jobId"):
        check_schema({"status": "PENDING"}, "components", "schemas", "Receipt")


def test_every_schema_is_used() -> None:
    text = str(load_document())
    for name in load_document()["components"]["schemas"]:
        assert f"#/components/schemas/{name}'" in text


def test_every_schema_is_a_schema() -> None:
    for schema in load_document()["components"]["schemas"].values():
        OAS31Validator.check_schema(schema)
