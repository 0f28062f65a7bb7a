"""Second tier: what the handler does with messages."""

import gzip
import json
import random
import zlib
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest

from data_aggregator import app
from data_aggregator.env import SettingsError
from tests.support.aws_events import s3_event, s3_record
from tests.support.tiers import few_quick
from tests.unit.data_aggregator.conftest import Aws, Context, Register, events, fail

MIB = 2**20
ODD_KEYS = [
    "a b.txt",
    "a+b.txt",
    "naïve/ünï.txt",
    "../up.txt",
    "a//b.txt",
    "100 %.txt",
    "quote'\".txt",
    "%2F.txt",
    "🪣.txt",
]


def test_sources_lie_in_the_bundle_in_the_order_of_their_messages(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    bodies = [aws.put("a", b"alpha"), aws.put("b", b"beta\n"), aws.put("c", b"gamma")]
    assert aws.deliver(*bodies) == []
    assert aws.bundle() == b"alpha\nbeta\ngamma\n"
    manifest = aws.manifest()
    assert [(entry["key"], entry["offset"], entry["length"]) for entry in manifest["sources"]] == [
        ("a", 0, 5),
        ("b", 6, 5),
        ("c", 11, 5),
    ]
    (key,) = aws.bundle_keys()
    assert (manifest["bundle"], manifest["request_id"]) == (key, "request-1")
    assert manifest["totals"]["sources"] == 3
    assert manifest["totals"]["input_bytes"] == 15
    assert manifest["totals"]["bundle_bytes"] == aws.s3.head_object(Bucket="distribution", Key=key)["ContentLength"]
    assert aws.statuses() == ["COMPLETED"] * 3
    assert aws.uploads_in_progress() == 0
    assert [event for event in events(caplog) if not event.startswith("source_")] == [
        "batch_start",
        "bundle_written",
        "batch_complete",
    ]


def test_parts_carry_their_crc_and_are_not_read_a_second_time_to_be_signed(aws: Aws, hook: Register) -> None:
    sent: list[AWSPreparedRequest] = []

    def note(request: AWSPreparedRequest, **_: object) -> None:
        sent.append(request)

    hook("before-send.s3.UploadPart", note)
    assert aws.deliver(aws.put("a")) == []
    assert [request.headers["x-amz-content-sha256"] for request in sent] == [b"UNSIGNED-PAYLOAD"]
    assert sent[0].headers["x-amz-checksum-crc32"]


def test_bundle_is_named_by_hour_and_request(aws: Aws) -> None:
    aws.deliver(aws.put("a"))
    (key,) = aws.bundle_keys()
    hour, _, name = key.rpartition("/")
    assert len(hour) == len("2026/11/21/10")
    assert name.startswith("bundle-request-1-")
    assert len(name) == len("bundle-request-1-01234567.gz")


def test_message_with_several_records_comes_back_if_one_source_fails(aws: Aws) -> None:
    good = json.loads(aws.put("good", b"good"))["Records"]
    bad = json.loads(aws.put("bad.gz", b"not gzip"))["Records"]
    both = json.dumps({"Records": good + bad})
    assert aws.deliver(both) == [both]
    assert aws.bundled() == [("good", b"good")]
    assert aws.deliver(both, receives=2) == [both]
    assert aws.bundled() == [("good", b"good")], "not twice"


def test_message_wrapped_by_sns_is_unwrapped(aws: Aws) -> None:
    inner = aws.put("a", b"alpha")
    assert aws.deliver(json.dumps({"Type": "Notification", "TopicArn": "t", "Message": inner})) == []
    assert aws.bundled() == [("a", b"alpha")]


@pytest.mark.parametrize("bucket", ["source", "plain"])
def test_plain_message_names_the_object_as_it_is_now(aws: Aws, bucket: str) -> None:
    aws.put("a+b c", b"alpha", bucket)
    plain = json.dumps({"bucket": bucket, "key": "a+b c"})
    assert aws.deliver(plain, plain) == []
    assert aws.deliver(plain) == []
    assert aws.bundled() == [("a+b c", b"alpha")]


def test_plain_message_and_event_of_the_same_version_are_one_source(aws: Aws) -> None:
    event = aws.put("a", b"alpha")
    assert aws.deliver(event, json.dumps({"bucket": "source", "key": "a"})) == []
    assert aws.bundled() == [("a", b"alpha")]


def test_plain_message_can_name_a_version(aws: Aws) -> None:
    first = json.loads(aws.put("a", b"first"))["Records"][0]["s3"]["object"]["versionId"]
    aws.put("a", b"second")
    assert aws.deliver(json.dumps({"bucket": "source", "key": "a", "version_id": first})) == []
    assert aws.bundled() == [("a", b"first")]


def test_test_event_and_deletions_are_acknowledged(aws: Aws) -> None:
    test_event = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "source"})
    deletion = json.dumps({"Records": [s3_record("source", "a", 0, name="ObjectRemoved:Delete")]})
    assert aws.deliver(test_event, deletion) == []
    assert aws.distributed_keys() == []
    assert aws.uploads_in_progress() == 0


NOT_UTF8 = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "%FF", "size": 1}}}
HALF_A_CHARACTER = "\ud800"
ODD_OBJECTS: list[tuple[Any, dict[str, Any]]] = [
    (["source"], {}),
    (7, {}),
    ("not a bucket", {}),
    ("source", {"key": HALF_A_CHARACTER}),
    ("source", {"versionId": 7}),
    ("source", {"versionId": HALF_A_CHARACTER}),
    ("source", {"eTag": {"a": 1}}),
    ("source", {"eTag": "e\r\nx: y", "versionId": None}),
    ("source", {"size": float("inf")}),
]
UNNAMEABLE = [
    {"bucket": {"name": bucket}, "object": {"key": "k", "size": 1, "eTag": "e", "versionId": "v", **changes}}
    for bucket, changes in ODD_OBJECTS
]
MALFORMED = [
    *["", "?", "[]", "7", "null", "{}", '{"Records": []}', '{"Records": 7}', '{"Records": [{}]}', "[" * 100_000],
    *['{"bucket": 7, "key": "a"}', '{"bucket": "", "key": "a"}', '{"Type": "Notification", "Message": "?"}'],
    json.dumps({"Records": [NOT_UTF8]}),
    json.dumps({"bucket": "source", "key": HALF_A_CHARACTER}),
    *[json.dumps({"Records": [s3_record("source", "k", 1, "e", "v") | {"s3": s3}]}) for s3 in UNNAMEABLE],
]


@pytest.mark.parametrize("body", few_quick(MALFORMED, quick=4))
def test_malformed_message_comes_back_and_its_neighbour_is_bundled(aws: Aws, body: str) -> None:
    good = aws.put("good", b"good")
    record = aws.make_record("placeholder") | {"body": body}
    answer = app.lambda_handler({"Records": [record, aws.make_record(good)]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
    assert aws.bundled() == [("good", b"good")]


def test_odd_keys_are_bundled_under_their_own_names(aws: Aws) -> None:
    bodies = [aws.put(key, key.encode()) for key in ODD_KEYS]
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == sorted((key, key.encode()) for key in ODD_KEYS)


def test_zero_byte_objects_are_legal(aws: Aws) -> None:
    assert aws.deliver(aws.put("empty", b""), aws.put("a", b"alpha"), aws.put("empty.gz", b"")) == []
    assert aws.bundled() == [("a", b"alpha"), ("empty", b""), ("empty.gz", b"")]
    assert aws.bundle() == b"alpha\n"


def test_bundle_of_nothing_but_empty_objects_is_a_bundle(aws: Aws) -> None:
    assert aws.deliver(aws.put("empty", b"")) == []
    assert aws.bundle() == b""
    assert aws.statuses() == ["COMPLETED"]


def test_gzip_sources_are_decompressed(aws: Aws) -> None:
    several_members = gzip.compress(b"one\n") + gzip.compress(b"two\n") + b"\0" * 7
    assert aws.deliver(aws.put("a.gz", several_members), aws.put("B.GZ", gzip.compress(b"three"))) == []
    assert aws.bundle() == b"one\ntwo\nthree\n"
    assert [entry["size"] for entry in aws.manifest()["sources"]] == [
        len(several_members),
        len(gzip.compress(b"three")),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        b"no gzip at all",
        gzip.compress(b"alpha" * 1000)[:-9],
        gzip.compress(b"alpha" * 1000) + b"garbage",
        gzip.compress(b"alpha")[:-5] + b"\xff" * 5,
        gzip.compress(bytes(range(256)) * 40_000)[:-9],
    ],
    ids=["not gzip", "truncated", "garbage after it", "wrong checksum", "large and truncated"],
)
def test_broken_gzip_fails_only_its_message(aws: Aws, broken: bytes, caplog: pytest.LogCaptureFixture) -> None:
    before, after = aws.put("before", b"before"), aws.put("after", b"after")
    bad = aws.put("bad.gz", broken)
    assert aws.deliver(before, bad, after) == [bad]
    assert aws.bundled() == [("after", b"after"), ("before", b"before")]
    assert aws.bundle() == b"before\nafter\n"
    assert "source_refused" in events(caplog)
    assert aws.statuses() == ["COMPLETED"] * 2, "the bad one's claim is released"


def test_deleted_object_is_acknowledged_as_gone(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    gone = aws.put("gone", bucket="plain")
    aws.s3.delete_object(Bucket="plain", Key="gone")
    version = json.loads(aws.put("old"))["Records"][0]["s3"]["object"]["versionId"]
    old = s3_event("source", "old", 1, "", version)
    aws.s3.delete_object(Bucket="source", Key="old", VersionId=version)
    plain = json.dumps({"bucket": "source", "key": "never"})
    assert aws.deliver(gone, old, plain) == []
    assert aws.distributed_keys() == []
    assert aws.records() == []
    assert '"SourcesGone":[3.0]' in capsys.readouterr().out


def test_object_of_a_bucket_that_does_not_exist_is_not_gone(aws: Aws) -> None:
    event, plain = s3_event("nowhere", "a", 1, "e"), json.dumps({"bucket": "nowhere", "key": "a"})
    assert aws.deliver(event, plain) == [event, plain]


def test_deleted_object_of_a_versioned_bucket_is_bundled_all_the_same(aws: Aws) -> None:
    body = aws.put("a", b"alpha")
    aws.s3.delete_object(Bucket="source", Key="a")
    assert aws.deliver(body) == []
    assert aws.bundled() == [("a", b"alpha")]


def test_overwrite_is_a_new_source(aws: Aws) -> None:
    first, second = aws.put("a", b"first"), aws.put("a", b"second")
    assert aws.deliver(first) == []
    assert aws.deliver(second) == []
    assert aws.bundled() == [("a", b"first"), ("a", b"second")]


def test_overwritten_object_of_an_unversioned_bucket_is_superseded(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = aws.put("a", b"first", "plain"), aws.put("a", b"second", "plain")
    assert aws.deliver(first, second) == []
    assert aws.bundled() == [("a", b"second")]
    assert '"SourcesSuperseded":[1.0]' in capsys.readouterr().out


def test_overwrite_with_the_same_bytes_is_a_new_source_too(aws: Aws) -> None:
    first, second = aws.put("a", b"same", "plain"), aws.put("a", b"same", "plain")
    assert aws.deliver(first, second) == []
    assert aws.bundled() == [("a", b"same"), ("a", b"same")]


@pytest.mark.parametrize("announced", [4, 6, 0])
def test_object_of_another_size_than_announced_is_not_bundled(aws: Aws, announced: int) -> None:
    event = json.loads(aws.put("a", b"alpha"))
    event["Records"][0]["s3"]["object"]["size"] = announced
    body = json.dumps(event)
    assert aws.deliver(body) == [body]
    assert aws.distributed_keys() == []


def test_source_that_would_overflow_starts_the_next_bundle(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BUNDLE_INPUT_MB", "1")
    half = b"h" * (MIB // 2)
    bodies = [aws.put("1", half), aws.put("2", half), aws.put("3", b"x"), aws.put("4", half)]
    assert aws.deliver(*bodies) == []
    sizes = sorted(aws.manifest(key)["totals"]["input_bytes"] for key in aws.bundle_keys())
    assert sizes == [MIB // 2 + 1, MIB]


def test_gzip_source_that_overflows_when_decompressed_starts_the_next_bundle(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_BUNDLE_INPUT_MB", "1")
    inflating = gzip.compress(b"h" * (MIB * 3 // 4))
    bodies = [aws.put(f"{number}.gz", inflating) for number in range(3)]
    assert aws.deliver(*bodies) == []
    assert len(aws.bundle_keys()) == 3
    assert len(aws.bundled()) == 3
    assert aws.statuses() == ["COMPLETED"] * 3


@pytest.mark.parametrize("name", ["big", "big.gz"])
def test_source_above_the_limit_fails_with_that_reason(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    monkeypatch.setenv("MAX_BUNDLE_INPUT_MB", "1")
    content = b"h" * (MIB + 1)
    big = aws.put(name, gzip.compress(content) if name.endswith(".gz") else content)
    small = aws.put("small", b"small")
    assert aws.deliver(big, small) == [big]
    assert aws.bundled() == [("small", b"small")]
    (refused,) = [record for record in caplog.records if record.getMessage() == "source_refused"]
    assert "MAX_BUNDLE_INPUT_MB" in refused.__dict__["reason"]


def test_large_sources_are_read_in_pieces(aws: Aws) -> None:
    contents = {f"{number}.bin": bytes([number]) * (9 * MIB + number) for number in range(3)}
    assert aws.deliver(*[aws.put(key, content) for key, content in contents.items()]) == []
    assert {key: zlib.crc32(content) for key, content in aws.bundled()} == {
        key: zlib.crc32(content) for key, content in contents.items()
    }


def test_range_that_the_server_ignores_is_taken_out_of_the_whole_object(aws: Aws, hook: Register) -> None:
    def forget_range(params: dict[str, str], **_: object) -> None:
        params.pop("Range", None)

    hook("before-parameter-build.s3.GetObject", forget_range)
    content = random.Random(1).randbytes(9 * MIB + 5)
    assert aws.deliver(aws.put("large", content)) == []
    assert aws.bundle() == content


def test_unreadable_source_fails_only_its_message(aws: Aws, hook: Register) -> None:
    def deny(params: dict[str, str], **_: object) -> None:
        if params["Key"] == "denied":
            fail("AccessDenied", 403, "GetObject")()

    hook("before-parameter-build.s3.GetObject", deny)
    denied, good = aws.put("denied"), aws.put("good", b"good")
    assert aws.deliver(denied, good) == [denied]
    assert aws.bundled() == [("good", b"good")]


def test_nothing_is_begun_when_time_is_short(aws: Aws) -> None:
    body = aws.put("a")
    assert aws.deliver(body, context=Context(remaining_ms=20_000)) == [body]
    assert aws.records() == []
    assert aws.distributed_keys() == []
    assert aws.deliver(body) == []


def test_what_was_read_before_time_ran_short_is_bundled_and_the_rest_comes_back(aws: Aws, hook: Register) -> None:
    context = Context()

    def run_out(params: dict[str, str], **_: object) -> None:
        # Further away than is read ahead: all before it has been compressed by then.
        if params.get("Range", "").startswith(f"bytes={40 * MIB}-"):
            context.remaining_ms = 29_000

    hook("before-parameter-build.s3.GetObject", run_out)
    early, late, after = aws.put("early", b"early"), aws.put("late", b"l" * 48 * MIB), aws.put("after")
    assert aws.deliver(early, late, after, context=context) == [late, after]
    assert aws.bundled() == [("early", b"early")]
    assert aws.bundle() == b"early\n"
    assert aws.uploads_in_progress() == 0
    assert aws.statuses() == ["COMPLETED"]


def test_low_disk_ends_a_bundle_and_the_rest_comes_back(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DISK_RESERVE_MB", "1000000")  # more than any disk here has
    noise = [random.Random(number).randbytes(3 * MIB) for number in range(4)]
    bodies = [aws.put(str(number), content) for number, content in enumerate(noise)]
    assert aws.deliver(*bodies) == []
    assert [content for _, content in aws.bundled()] == noise
    assert len(aws.bundle_keys()) > 1, "as much as is held in memory, one after another"
    big = aws.put("big", random.Random(9).randbytes(20 * MIB))
    assert aws.deliver(big) == [big]
    assert "stopped_early" in events(caplog)


def test_wrong_settings_are_all_named(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISTRIBUTION_BUCKET_NAME", "SERVICE_NAME", "IDEMPOTENCY_TABLE_NAME", "IDEMPOTENCY_TTL_DAYS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("GZIP_LEVEL", "9")
    with pytest.raises(SettingsError) as caught:
        aws.deliver(aws.put("a"))
    for name in ("DISTRIBUTION_BUCKET_NAME", "SERVICE_NAME", "IDEMPOTENCY_TABLE_NAME", "IDEMPOTENCY_TTL_DAYS"):
        assert f"{name} is not set" in str(caught.value)
    assert "LOG_LEVEL is 'LOUD'" in str(caught.value)
    assert "GZIP_LEVEL is 9" in str(caught.value)
