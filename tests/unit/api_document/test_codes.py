"""The OpenAPI document lists the very codes that the functions answer."""

from tests.unit.api_document.api_document import load_document
from zip_enqueue.exceptions import Code as EnqueueCode
from zip_status.exceptions import Code as StatusCode


def test_the_codes_of_problems_are_those_of_the_document() -> None:
    listed = load_document()["components"]["schemas"]["ProblemCode"]["enum"]
    assert sorted(listed) == sorted({*EnqueueCode, *StatusCode})
