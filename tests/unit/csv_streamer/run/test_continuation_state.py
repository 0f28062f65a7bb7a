"""What one invocation leaves, the next one reads as it was written; and only one invocation takes it."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from csv_streamer.clients import S3
from csv_streamer.run.continuation import ContinuationError, Hop, State, StateStore
from csv_streamer.schemas import Entry, Expectation, Head, Part, Task, Unfinished, Validators

SIZES = st.integers(0, 2**50)
TEXT = st.text(st.characters(), max_size=20)
MAYBE = st.none() | TEXT
EXPECTATIONS = st.builds(
    Expectation, st.lists(TEXT, max_size=2).map(tuple), st.none() | SIZES, st.none() | SIZES, MAYBE, MAYBE, MAYBE
)
ENTRIES = st.builds(Entry, TEXT, MAYBE, MAYBE, st.dictionaries(TEXT, TEXT, max_size=3), MAYBE, MAYBE, EXPECTATIONS)
HEADS = st.builds(
    Head,
    url=TEXT,
    length=st.none() | SIZES,
    validators=st.builds(Validators, MAYBE, MAYBE, st.booleans()),
    accepts_ranges=st.booleans(),
    content_type=MAYBE,
    content_encoding=MAYBE,
    disposition=MAYBE,
)
PARTS = st.lists(st.builds(Part, st.integers(1, 10_000), SIZES, SIZES, TEXT, TEXT), max_size=3)
CONTENT = st.fixed_dictionaries({"size": SIZES, "is_html": st.booleans(), "digests": st.dictionaries(TEXT, TEXT)})
UNFINISHED = st.builds(
    Unfinished,
    upload_id=TEXT,
    part_size=SIZES,
    head=HEADS,
    parts=PARTS,
    content=CONTENT,
    read=st.dictionaries(TEXT, TEXT, max_size=3),
)
TASKS = st.builds(Task, index=SIZES, entry=ENTRIES, key=MAYBE, unfinished=st.none() | UNFINISHED)
TIMES = st.datetimes(timezones=st.just(UTC))
HOP = Hop("request-1", 2)


@settings(deadline=None)
@given(st.builds(State, TIMES, st.lists(TASKS, max_size=3), st.lists(TEXT, max_size=3), TEXT))
def test_state_comes_back_as_it_was(state: State) -> None:
    assert State.load(state.dump()) == state


def test_state_is_json_of_plain_values() -> None:
    time = datetime(2026, 3, 7, 23, 59, tzinfo=timezone(timedelta(hours=1)))
    state = State(time, [Task(0, Entry("https://h/a", headers={"X": "1"}))], ["raw/b.csv"])
    told = json.loads(state.dump())
    assert (told["time"], told["taken_keys"]) == ("2026-03-07T23:59:00+01:00", ["raw/b.csv"])
    assert told["tasks"][0]["entry"]["headers"] == {"X": "1"}


@pytest.mark.parametrize("event", [{}, None, [], "x", {"source": "aws.events"}, {"run": "a", "hop": 2}])
def test_any_event_without_continue_begins_a_run(event: object) -> None:
    assert Hop.from_event(event, "request-1") == Hop("request-1", 1)


def test_event_of_a_hop_asks_for_it() -> None:
    following = Hop("request-1", 1).next
    assert following == Hop("request-1", 2)
    assert Hop.from_event(json.loads(json.dumps(following.event)), "another") == following
    assert following.key == ".csv-streamer/request-1/2.json"


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        "request-1",
        {"run": "request-1"},
        {"run": "request-1", "hop": 1},
        {"run": "request-1", "hop": 0},
        {"run": "request-1", "hop": -2},
        {"run": "request-1", "hop": True},
        {"run": "request-1", "hop": "2"},
        {"run": "request-1", "hop": 2.0},
        {"run": "", "hop": 2},
        {"run": "x" * 65, "hop": 2},
        {"run": "../config/parameters", "hop": 2},
        {"run": "a/b", "hop": 2},
        {"run": "a\n", "hop": 2},
        {"run": 5, "hop": 2},
    ],
)
def test_event_that_this_function_did_not_write_is_refused(content: object) -> None:
    with pytest.raises(ContinuationError, match="continue is not of the form"):
        Hop.from_event({"continue": content}, "request-1")


@pytest.fixture
def s3() -> Iterator[S3]:
    with mock_aws():
        client = boto3.client("s3", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        client.create_bucket(Bucket="bucket")
        s3 = S3(client, 1)  # moto does not do conditional writes one after the other by itself
        yield s3
        s3.close()


STATE = State(datetime(2026, 3, 7, tzinfo=UTC), [Task(0, Entry("https://h/a"))], [])


def take_over(s3: S3, *request_ids: str) -> list[State | None]:
    async def play() -> list[State | None]:
        store = StateStore(s3, "bucket")
        return [await store.take_over(HOP, request_id) for request_id in request_ids]

    return asyncio.run(play())


def save(s3: S3) -> None:
    asyncio.run(StateStore(s3, "bucket").save(HOP, STATE))


def test_state_is_taken_by_one_invocation_and_again_by_its_repetition(s3: S3) -> None:
    save(s3)
    assert take_over(s3, "first", "second", "first", "third") == [STATE, None, STATE, None]


def test_two_deliveries_at_once_have_one_taker(s3: S3) -> None:
    save(s3)

    async def race() -> list[State | None]:
        store = StateStore(s3, "bucket")
        return await asyncio.gather(*(store.take_over(HOP, f"request-{number}") for number in range(4)))

    assert [taken for taken in asyncio.run(race()) if taken] == [STATE]


def test_state_that_is_done_cannot_be_taken_again(s3: S3) -> None:
    save(s3)
    assert take_over(s3, "first") == [STATE]
    asyncio.run(StateStore(s3, "bucket").forget(HOP))
    assert take_over(s3, "late") == [None]
    with pytest.raises(ContinuationError, match="does not exist: the run has ended"):
        take_over(s3, "first")


def test_state_that_never_was_is_told(s3: S3) -> None:
    with pytest.raises(ContinuationError, match=r"\.csv-streamer/request-1/2\.json"):
        take_over(s3, "first")


def test_denied_access_is_not_taken_for_another_taker(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "PutObject")

    monkeypatch.setattr(s3.client, "put_object", deny)
    with pytest.raises(ClientError, match="AccessDenied"):
        take_over(s3, "first")
