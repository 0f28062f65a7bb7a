"""First tier: from messages to sources."""

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_aggregator.exceptions import MessageRejectedError
from data_aggregator.intake.messages import parse_body
from data_aggregator.schemas import Named, ObjectName, Source, source_id
from tests.support.aws_events import s3_event, s3_record


def name_objects(body: str) -> list[Named]:
    return list(parse_body(body).objects)


KEYS = st.text(min_size=1).filter(lambda key: not any(0xD800 <= ord(letter) < 0xE000 for letter in key))


@given(KEYS)
def test_keys_are_url_decoded(key: str) -> None:
    (source,) = name_objects(s3_event("b", key, 1, "e", "v"))
    assert source.key == key


@given(KEYS)
def test_plain_keys_are_taken_as_they_are(key: str) -> None:
    assert name_objects(json.dumps({"bucket": "b", "key": key})) == [ObjectName("b", key, None)]


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_anything_else_is_rejected_by_one_kind_of_error(body: str) -> None:
    with pytest.raises(MessageRejectedError):
        name_objects(body)


NAMES = ["s3", "bucket", "eventName", "object", "key", "name", "Records", "Type", "Message", "Event"]
NEARLY_RIGHT = st.recursive(
    st.none() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(NAMES), NEARLY_RIGHT))
def test_nearly_right_bodies_give_names_or_one_kind_of_error(document: dict[str, Any]) -> None:
    try:
        named = name_objects(json.dumps(document))
    except MessageRejectedError:
        return
    assert all(name.bucket and name.key for name in named)


def with_object(**changes: Any) -> str:
    record = s3_record("b", "k", 3, "etag", "v1")
    record["s3"]["object"] |= changes
    record["s3"]["object"] = {name: value for name, value in record["s3"]["object"].items() if value is not None}
    return json.dumps({"Records": [record]})


def identify(body: str) -> str:
    (source,) = name_objects(body)
    assert isinstance(source, Source)
    return source.id


def test_version_identifies_an_object_whatever_the_event() -> None:
    assert identify(with_object(sequencer="1")) == identify(with_object(sequencer="2"))
    assert identify(with_object()) != identify(with_object(versionId="v2"))


@pytest.mark.parametrize("version", [None, "null"])
def test_sequencer_identifies_an_object_without_versions(version: str | None) -> None:
    first = with_object(versionId=version, sequencer="1")
    assert identify(first) == identify(first)
    assert identify(first) != identify(with_object(versionId=version, sequencer="2"))


@pytest.mark.parametrize(
    "missing", [{"size": None}, {"versionId": None, "eTag": None}, {"versionId": None, "eTag": ""}]
)
def test_event_that_says_too_little_is_looked_up(missing: dict[str, None]) -> None:
    (name,) = name_objects(with_object(**missing))
    assert isinstance(name, ObjectName)


def test_identities_of_different_objects_cannot_be_confused() -> None:
    assert source_id("a", "b/c", "v") != source_id("a/b", "c", "v")
    assert len(source_id("b", "k" * 1024, "v")) < 100


def test_encoded_plus_is_a_plus() -> None:
    (source,) = name_objects(s3_event("b", "a+b c", 1, "e", "v"))
    assert quote_plus("a+b c") == "a%2Bb+c"
    assert source.key == "a+b c"
