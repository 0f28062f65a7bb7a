"""The shapes in which S3, SNS, EventBridge and people announce objects."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xapi_etl.object_events import CreatedObject, IgnoredRecord, ObjectEventError, parse_object_events

KEY = "statements/a b+ü%2B.jsonl"
ENCODED = "statements/a+b%2B%C3%BC%252B.jsonl"
WHOLE = CreatedObject("b", KEY, "v1", "e1", 5, "0062E99A88DC407460")


def notification(name: str = "ObjectCreated:Put", source: str = "aws:s3", /, **item: Any) -> dict[str, Any]:
    object_ = {"key": ENCODED, "size": 5, "eTag": "e1", "versionId": "v1", "sequencer": WHOLE.sequencer} | item
    return {
        "eventVersion": "2.1",
        "eventSource": source,
        "eventName": name,
        "s3": {"bucket": {"name": "b"}, "object": object_},
    }


def detail(reason: str = "PutObject", /, **item: Any) -> dict[str, Any]:
    object_ = {"key": KEY, "size": 5, "etag": "e1", "version-id": "v1", "sequencer": WHOLE.sequencer} | item
    return {"version": "0", "bucket": {"name": "b"}, "object": object_, "request-id": "r", "reason": reason}


def eventbridge(kind: str = "Object Created", source: str = "aws.s3", /, **item: Any) -> dict[str, Any]:
    resources = ["arn:aws:s3:::b"]
    return {
        "version": "0",
        "id": "i",
        "detail-type": kind,
        "source": source,
        "resources": resources,
        "detail": detail(**item),
    }


def sns(document: Any) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "m", "TopicArn": "arn", "Message": json.dumps(document)}


SHAPES = {
    "S3": {"Records": [notification()]},
    "S3 by SNS": sns({"Records": [notification()]}),
    "EventBridge": eventbridge(),
    "EventBridge by SNS": sns(eventbridge()),
    "detail alone": detail(),
    "detail of a multipart upload": detail("CompleteMultipartUpload"),
    "list of EventBridge events": [eventbridge()],
    "SNS event": {"Records": [{"EventSource": "aws:sns", "Sns": sns({"Records": [notification()]})}]},
    "SNS twice": sns(sns(eventbridge())),
    "SNS of a list": sns([eventbridge()]),
    "record alone": notification(),
    "list of records": [notification()],
    "name with its prefix": {"Records": [notification("s3:ObjectCreated:Copy", "minio:s3")]},
    "quoted ETag": {"Records": [notification(eTag='"e1"')]},
    "size as text": {"Records": [notification(size="5")]},
}


@pytest.mark.parametrize("document", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_names_the_object_with_all_that_it_says(document: Any) -> None:
    events = parse_object_events(json.dumps(document))
    assert (events.created, events.ignored) == ((WHOLE,), ())


def test_plain_names_are_taken_as_they_are() -> None:
    plain: list[dict[str, Any]] = [{"bucket": "b", "key": ENCODED}, {"bucket": "b", "key": "k", "version_id": "v"}]
    expected = (CreatedObject("b", ENCODED), CreatedObject("b", "k", "v"))
    assert parse_object_events(json.dumps(plain)).created == expected
    assert parse_object_events(json.dumps(plain[1])).created == expected[1:]


@pytest.mark.parametrize("version", ["null", "", None])
def test_bucket_without_versions(version: str | None) -> None:
    for document in (notification(versionId=version), eventbridge() | {"detail": detail(**{"version-id": version})}):
        (created,) = parse_object_events(json.dumps(document)).created
        assert created.version_id is None


@pytest.mark.parametrize(
    ("document", "ignored"),
    [
        (
            {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"},
            IgnoredRecord("test_event", "s3:TestEvent", "b"),
        ),
        (sns({"Event": "s3:TestEvent"}), IgnoredRecord("test_event", "s3:TestEvent")),
        *(
            (notification(name), IgnoredRecord("not_a_creation", name, "b", KEY))
            for name in (
                "ObjectRemoved:Delete",
                "ObjectRemoved:DeleteMarkerCreated",
                "ObjectRestore:Completed",
                "LifecycleExpiration:Delete",
                "LifecycleTransition",
                "ReducedRedundancyLostObject",
                "Replication:OperationFailedReplication",
                "ObjectTagging:Put",
                "ObjectAcl:Put",
                "IntelligentTiering",
            )
        ),
        *(
            (eventbridge(kind), IgnoredRecord("not_a_creation", kind, "b", KEY))
            for kind in (
                "Object Deleted",
                "Object Restore Completed",
                "Object Tags Added",
                "Object Storage Class Changed",
            )
        ),
        (detail("DeleteObject"), IgnoredRecord("not_a_creation", "DeleteObject", "b", KEY)),
        (eventbridge("Object Created", "aws.ec2"), IgnoredRecord("other_service", "aws.ec2 Object Created")),
        (
            {"Records": [{"eventSource": "aws:ses", "ses": {}}]},
            IgnoredRecord("other_service", "aws:ses"),
        ),
        (
            {"Records": [{"eventSource": "aws:dynamodb", "eventName": "INSERT"}]},
            IgnoredRecord("other_service", "aws:dynamodb INSERT"),
        ),
        (
            {"Type": "SubscriptionConfirmation", "Token": "secret"},
            IgnoredRecord("not_a_notification", "SubscriptionConfirmation"),
        ),
    ],
)
def test_what_announces_no_object_is_told(document: Any, ignored: IgnoredRecord) -> None:
    events = parse_object_events(json.dumps(document))
    assert (events.created, events.ignored) == ((), (ignored,))


def test_a_mixed_message_keeps_its_order_and_loses_nothing() -> None:
    records = [
        notification(),
        notification("ObjectRemoved:Delete"),
        notification(key="z"),
        notification("x", "aws:ses"),
    ]
    events = parse_object_events(json.dumps({"Records": records}))
    assert [created.key for created in events.created] == [KEY, "z"]
    assert [record.reason for record in events.ignored] == ["not_a_creation", "other_service"]


def nest(document: Any, times: int) -> Any:
    for _ in range(times):
        document = [document]
    return document


MALFORMED: list[Any] = [
    *[7, None, True, "text", [], {}, [[]], [7], {"Records": []}, {"Records": 7}, {"Records": {}}, {"Records": [{}]}],
    *[{"bucket": 7, "key": "a"}, {"bucket": "", "key": "a"}, {"bucket": "b", "key": ""}, {"bucket": "b"}],
    *[{"bucket": "b", "key": "k", "version_id": 7}, {"bucket": "b", "key": "\ud800"}, {"bucket": "\udfff", "key": "k"}],
    *[{"Type": "Notification"}, {"Type": "Notification", "Message": "?"}, {"Type": "Notification", "Message": 7}],
    *[{"Sns": 7}, {"Sns": {"Message": "[]"}}, sns([]), sns("text"), {"Type": "Notification", "Message": "NaN"}],
    *[notification(key="%FF"), notification(key=""), notification(key=None), notification(size=-1)],
    *[notification(size=True), notification(size=1.5), notification(eTag="ü"), notification(eTag=7)],
    *[notification(sequencer=7), notification(versionId=["v"]), notification("ObjectCreated:Put") | {"s3": None}],
    *[notification() | {"eventName": 5}, {"eventSource": "aws:s3"}, {"eventName": "ObjectCreated:Put"}],
    *[
        eventbridge() | {"detail": None},
        eventbridge() | {"detail": {}},
        eventbridge(key=None),
        eventbridge(size="many"),
    ],
    *[detail() | {"reason": {}}, {"bucket": {"name": "b"}, "object": {"key": "k"}}, nest(notification(), 20)],
    *[
        {"detail-type": "Object Created", "source": "aws.s3"},
        {"detail-type": "Object Created", "source": "aws.s3", "detail": []},
    ],
]


@pytest.mark.parametrize("document", MALFORMED)
def test_body_of_no_known_shape_is_refused(document: Any) -> None:
    with pytest.raises(ObjectEventError):
        parse_object_events(json.dumps(document))


@pytest.mark.parametrize("body", ["", "?", "[" * 100_000, '{"a":' * 100_000, "1" * 10_000, "\ud800", '{"bucket":"b"'])
def test_body_that_is_no_json_is_refused(body: str) -> None:
    with pytest.raises(ObjectEventError):
        parse_object_events(body)


def test_error_quotes_no_value() -> None:
    with pytest.raises(ObjectEventError) as raised:
        parse_object_events(json.dumps({"password": "hunter2", "bucket": 7, "key": "hunter2"}))
    assert "hunter2" not in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Records",
                    "Type",
                    "Message",
                    "Sns",
                    "eventName",
                    "eventSource",
                    "s3",
                    "bucket",
                    "object",
                    "key",
                    "name",
                    "detail",
                    "detail-type",
                    "source",
                    "reason",
                    "size",
                    "version_id",
                    "Event",
                ]
            ),
            inner
            | st.sampled_from(
                ["Notification", "aws.s3", "aws:s3", "Object Created", "ObjectCreated:Put", "s3:TestEvent"]
            ),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_understood_or_refused(document: Any) -> None:
    try:
        events = parse_object_events(json.dumps(document))
    except ObjectEventError:
        return
    assert events.created or events.ignored
