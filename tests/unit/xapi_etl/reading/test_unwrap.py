"""Statements wrapped in the response of a record store or in a JSON array."""

import json
from typing import Any

import pytest

from tests.unit.xapi_etl.conftest import BUCKET, Etl
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl.reading.unwrap import unwrap_statements

GOOD = write_lines(make_statements(3))


WRAPPINGS: dict[str, Any] = {
    "answer": lambda found: {"statements": found, "more": ""},
    "answer, the other way round": lambda found: {"more": '/xapi/statements?more="}]', "statements": found},
    "answer with more": lambda found: {"statements": found, "more": None, "x": {"y": ["]}"]}},
    "array": lambda found: found,
}  # fmt: skip


@pytest.mark.usefixtures("defaults")
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_wrapped_statements_are_unwrapped(etl: Etl, wrap: Any, indent: int | None) -> None:
    statements = make_statements(30)
    statements[3]["object"]["definition"] = {"name": {"en": 'a "]}, {[\\'}}
    contents = json.dumps(wrap(statements), indent=indent).encode()
    assert etl.deliver(etl.put("statements/a.json", b"\xef\xbb\xbf" + contents + b"\n" + contents + b"\n" + GOOD)) == []
    rows = etl.rows("statement, source_line")
    found = {json.loads(row["statement"])["id"]: json.loads(row["statement"]) for row in rows}
    expected = {one["id"]: one for one in [*statements, *map(json.loads, GOOD.splitlines())]}
    assert found == expected


@pytest.mark.usefixtures("defaults")
@pytest.mark.parametrize("end", [b"", b"]", b',{"a":', b"]}"])
def test_truncated_response_is_not_accepted_as_whole(etl: Etl, end: bytes) -> None:
    contents = b'{"statements":[' + b",".join(GOOD.splitlines()) + end
    assert etl.deliver(etl.put("statements/a.json", contents)) == []
    whole = end == b"]}"
    assert [
        item["Key"] for item in etl.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/").get("Contents", [])
    ] == ([] if whole else ["quarantine/statements/a.json.jsonl"])


def test_unwrapping_does_not_depend_on_chunks() -> None:
    contents = json.dumps({"more": "x", "statements": [{"a": '\\"]'}, 7, [{}], {"ü": "\n"}]}, indent=1).encode()
    whole = b"".join(unwrap_statements([contents]))
    assert len(whole.splitlines()) == 4
    for size in range(1, 20):
        pieces = [contents[start : start + size] for start in range(0, len(contents), size)]
        assert b"".join(unwrap_statements(pieces)) == whole
