"""Injected faults; no engine needed."""

import json

import pytest

from clickhouse.engine import QueryResult
from clickhouse.faults import ConnectionDropped, Fault, FaultQueue, InjectedResponse, read_fault


def run(fault: Fault) -> list[str]:
    """Run a query under a fault; return the visible steps in order."""
    seen: list[str] = []

    def act() -> QueryResult:
        seen.append("ran")
        return QueryResult(b"", "")

    try:
        fault.run(act)
        seen.append("answered")
    except (ConnectionDropped, InjectedResponse) as error:
        seen.append(type(error).__name__)
    return seen


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("none", ["ran", "answered"]),
        ("drop", ["ConnectionDropped"]),
        ("drop_after", ["ran", "ConnectionDropped"]),
        ("answer", ["InjectedResponse"]),
        ("answer_after", ["ran", "InjectedResponse"]),
        ("delay", ["ran", "answered"]),
    ],
)
def test_fault_happens_before_or_after_the_query(kind: str, seen: list[str]) -> None:
    assert run(Fault(kind)) == seen


def test_fault_hits_the_given_number_of_matching_queries() -> None:
    book = FaultQueue()
    book.add(Fault("drop", times=2, skip=1))
    queries = [b"SELECT 1", b"INSERT INTO t", b" insert into t", b"INSERT INTO t", b"INSERT INTO t"]
    assert [book.take(query).kind for query in queries] == ["none", "none", "drop", "drop", "none"]
    assert json.loads(book.describe())["happened"] == {"drop": 2}


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"kind": "x"}', b'{"kind": "drop", "y": 1}', b'{"kind": "answer", "status": 1}', b"x"]
)
def test_invalid_fault_is_rejected(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own included
        read_fault(body)
