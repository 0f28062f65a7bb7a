import io
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from tests.unit.zip_worker.conftest import Aws
from zip_worker.exceptions import KeyListError, ShortReadError, SourceChangedError
from zip_worker.s3.key_lists import parse_manifest
from zip_worker.s3.source import SourceBucket
from zip_worker.s3_get import Answer
from zip_worker.schemas import BlockRequest


@pytest.fixture
def calls(aws: Aws) -> list[str]:
    """The names of the S3 operations that are called."""
    names: list[str] = []
    aws.s3.meta.events.register("before-call.s3", lambda model, **_: names.append(model.name))
    return names


def reader(aws: Aws) -> SourceBucket:
    return SourceBucket(aws.s3, "source", concurrency=4, get_object_fast=lambda *_: None)


def test_few_keys_are_asked_for_one_by_one(aws: Aws, calls: list[str]) -> None:
    aws.put({"a/1.pdf": b"one", "b/2.pdf": b"three"})
    calls.clear()
    survey = reader(aws).survey(["b/2.pdf", "gone.pdf", "a/1.pdf"])
    assert [(source.key, source.size) for source in survey.sources] == [("b/2.pdf", 5), ("a/1.pdf", 3)]
    assert survey.missing == ["gone.pdf"]
    assert calls == ["HeadObject"] * 3


@pytest.fixture
def pages_of_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zip_worker.s3.source._PAGE", 20)


@pytest.mark.usefixtures("pages_of_twenty")
def test_many_neighbouring_keys_are_found_by_listing(aws: Aws, calls: list[str]) -> None:
    keys = [f"uploads/{number:05d} ü+.pdf" for number in range(50)]
    aws.put({key: b"x" * (number % 7) for number, key in enumerate(keys) if number % 10})
    calls.clear()
    survey = reader(aws).survey(keys[::-1])
    assert survey.missing == [key for number, key in enumerate(keys) if not number % 10][::-1]
    assert [source.size for source in survey.sources] == [n % 7 for n in range(50) if n % 10][::-1]
    assert calls == ["ListObjectsV2"] * 3


@pytest.mark.usefixtures("pages_of_twenty")
def test_keys_lost_in_a_crowd_are_not_listed_for_ever(aws: Aws, calls: list[str]) -> None:
    aws.put({f"crowd/{number:05d}": b"" for number in range(130)})
    wanted = [f"crowd/{number:05d}" for number in range(0, 130, 10)]
    calls.clear()
    survey = reader(aws).survey(wanted)
    assert [source.key for source in survey.sources] == wanted
    assert calls.count("ListObjectsV2") == 1
    assert calls.count("HeadObject") == 11  # the first page of 20 held two of them


def test_key_named_twice_is_surveyed_once_and_returned_twice(aws: Aws) -> None:
    aws.put({"a": b"1"})
    assert [source.key for source in reader(aws).survey(["a", "a"]).sources] == ["a", "a"]


def test_denied_access_is_not_taken_for_a_missing_object(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(**_: object) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    monkeypatch.setattr(aws.s3, "head_object", deny)
    survey = reader(aws).survey(["a"])
    assert (survey.missing, [fault.code for fault in survey.faults]) == ([], ["object_denied"])


def request_for(aws: Aws, key: str, start: int, length: int) -> BlockRequest:
    return BlockRequest(reader(aws).survey([key]).sources[0], start, length)


def test_blocks_are_ranges_of_the_object(aws: Aws) -> None:
    aws.put({"a": b"0123456789"})
    assert reader(aws).read_block(request_for(aws, "a", 0, 10)) == b"0123456789"
    assert reader(aws).read_block(request_for(aws, "a", 4, 3)) == b"456"


def test_object_deleted_since_the_survey_is_a_change(aws: Aws) -> None:
    aws.put({"a": b"0123456789"})
    request = request_for(aws, "a", 0, 10)
    aws.s3.delete_object(Bucket="source", Key="a")
    with pytest.raises(SourceChangedError, match="'a' was changed or deleted"):
        reader(aws).read_block(request)


class Broken(io.BytesIO):
    def read(self, *_: Any) -> bytes:
        raise ConnectionResetError("reset by peer")


@pytest.mark.parametrize("body", [b"0123", b""])
def test_short_read_is_repeated_then_reported(aws: Aws, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    aws.put({"a": b"0123456789"})
    request = request_for(aws, "a", 0, 10)
    real, tries = aws.s3.get_object, []

    def short(**options: Any) -> Any:
        tries.append(1)
        return real(**options) | {"Body": StreamingBody(io.BytesIO(body), len(body))}

    monkeypatch.setattr(aws.s3, "get_object", short)
    with pytest.raises(ShortReadError, match=f"expected 10 bytes, got {len(body)} bytes"):
        reader(aws).read_block(request)
    assert len(tries) == 4


def test_connection_lost_in_the_body_is_read_again(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put({"a": b"0123456789"})
    request = request_for(aws, "a", 0, 10)
    real, tries = aws.s3.get_object, []

    def lost_once(**options: Any) -> Any:
        tries.append(1)
        answer = real(**options)
        if len(tries) == 1:  # announces ten bytes, ends after four: botocore raises IncompleteReadError
            answer["Body"] = StreamingBody(io.BytesIO(b"0123"), 10)
        return answer

    monkeypatch.setattr(aws.s3, "get_object", lost_once)
    assert reader(aws).read_block(request) == b"0123456789"
    assert len(tries) == 2


def test_manifest_is_one_key_a_line() -> None:
    raw = "\ufeffa.pdf\r\n\n  \nb c.pdf\nü.pdf\n last.pdf".encode()
    for size in (1, 3, 1000):
        chunks = [raw[start : start + size] for start in range(0, len(raw), size)]
        assert list(parse_manifest(chunks, "m")) == ["a.pdf", "b c.pdf", "ü.pdf", " last.pdf"]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [(b"ok\n\xff\xfe", "line 2: not UTF-8"), (b"ok\n" + b"x" * 1025, "line 2: longer than 1024 bytes")],
)
def test_unusable_manifest_is_reported_with_its_place(raw: bytes, problem: str) -> None:
    with pytest.raises(KeyListError, match=problem):
        list(parse_manifest([raw], "m.txt"))


def test_manifest_that_is_no_list_is_refused_after_its_first_piece() -> None:
    read = []

    def endless() -> Iterator[bytes]:
        while True:
            read.append(1)
            yield bytes(64 * 1024)

    with pytest.raises(KeyListError, match="line 1: longer than 1024 bytes"):
        list(parse_manifest(endless(), "huge.pdf"))
    assert len(read) == 1


def test_missing_manifest_is_named(aws: Aws) -> None:
    with pytest.raises(KeyListError, match=r"manifestKey 'lists/m.txt' does not exist"):
        list(reader(aws).read_manifest("lists/m.txt"))


def test_quick_read_asks_for_exactly_the_surveyed_object_and_range(aws: Aws) -> None:
    aws.put({"a": b"0123456789"})
    asked: list[tuple[str, str, dict[str, str], int]] = []

    def quick(bucket: str, key: str, headers: Mapping[str, str], length: int) -> Answer:
        asked.append((bucket, key, dict(headers), length))
        return Answer(b"456", 10, {})

    request = request_for(aws, "a", 4, 3)
    assert SourceBucket(aws.s3, "source", 4, quick).read_block(request) == b"456"
    assert asked == [("source", "a", {"If-Match": request.source.etag, "Range": "bytes=4-6"}, 3)]


def fail_heads(monkeypatch: pytest.MonkeyPatch, aws: Aws, code: str, on: str) -> None:
    real = aws.s3.head_object

    def head_object(**options: Any) -> Any:
        if options["Key"] == on:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "HeadObject")
        return real(**options)

    monkeypatch.setattr(aws.s3, "head_object", head_object)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("403", "object_denied"),
        ("400", "object_encrypted"),
        ("404", "object_missing"),
        ("KMS.DisabledException", "object_encrypted"),
    ],
)
def test_an_error_that_lasts_is_the_keys_fault(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str, fault: str
) -> None:
    aws.put({"a": b"1", "b": b"2"})
    fail_heads(monkeypatch, aws, code, "a")
    survey = reader(aws).survey(["a", "b"])
    assert [(one.key, one.code) for one in survey.faults] == [("a", fault)]
    assert [source.key for source in survey.sources] == ["b"]


@pytest.mark.parametrize("code", ["SlowDown", "503", "InternalError", "RequestTimeout"])
def test_an_error_that_may_pass_is_nobodys_fault(aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    aws.put({"a": b"1"})
    fail_heads(monkeypatch, aws, code, "a")
    with pytest.raises(ClientError, match=code):
        reader(aws).survey(["a"])


def put_cold(aws: Aws, key: str, storage_class: Any) -> None:
    aws.s3.put_object(Bucket="source", Key=key, Body=b"cold", StorageClass=storage_class)


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
@pytest.mark.parametrize("many", [0, 30])
def test_archived_objects_are_found_by_asking_and_by_listing(
    aws: Aws, calls: list[str], storage_class: str, many: int
) -> None:
    others = {f"docs/{number:03d}": b"x" for number in range(many)}
    aws.put(others)
    put_cold(aws, "docs/cold", storage_class)
    calls.clear()
    survey = reader(aws).survey([*others, "docs/cold"])
    assert [(fault.key, fault.code) for fault in survey.faults] == [("docs/cold", "object_archived")]
    assert len(survey.sources) == many
    assert calls == (["ListObjectsV2", "HeadObject"] if many else ["HeadObject"]), "only what may be archived"


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "GLACIER_IR", "INTELLIGENT_TIERING"])
def test_other_classes_can_be_read(aws: Aws, storage_class: str) -> None:
    put_cold(aws, "a", storage_class)
    assert reader(aws).survey(["a"]).faults == []


@pytest.mark.parametrize(
    ("head", "is_readable"),
    [
        ({"StorageClass": "GLACIER"}, False),
        ({"StorageClass": "GLACIER", "Restore": 'ongoing-request="true"'}, False),
        ({"StorageClass": "GLACIER", "Restore": 'ongoing-request="false", expiry-date="Fri, 21 Dec 2099"'}, True),
        ({"StorageClass": "INTELLIGENT_TIERING", "ArchiveStatus": "DEEP_ARCHIVE_ACCESS"}, False),
        ({"StorageClass": "INTELLIGENT_TIERING"}, True),
        ({}, True),
    ],
)
def test_a_restored_object_can_be_read_and_an_archive_tier_cannot(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, head: dict[str, str], is_readable: bool
) -> None:
    aws.put({"a": b"1"})
    real = aws.s3.head_object
    monkeypatch.setattr(aws.s3, "head_object", lambda **options: {**real(**options), **head})
    assert bool(reader(aws).survey(["a"]).sources) is is_readable


def test_large_listed_objects_are_asked_for_one_by_one(aws: Aws, calls: list[str]) -> None:
    aws.put({f"docs/{number:03d}": b"x" * number for number in range(30)})
    calls.clear()
    bucket = SourceBucket(aws.s3, "source", 4, lambda *_: None, head_from=28)
    assert bucket.inspect(list(bucket.list_prefix("docs/"))).faults == []
    assert calls == ["ListObjectsV2", "HeadObject", "HeadObject"]


def test_a_probe_names_what_cannot_be_read_by_now(aws: Aws) -> None:
    aws.put({"a": b"1", "b": b"2", "c": b"3", "empty": b"", "gone-empty": b""})
    bucket = reader(aws)
    sources = bucket.survey(["a", "b", "c", "empty", "gone-empty"]).sources
    aws.put({"b": b"changed"})
    for key in ("c", "gone-empty"):
        aws.s3.delete_object(Bucket="source", Key=key)
    assert [(fault.key, fault.code) for fault in bucket.probe(sources)] == [
        ("b", "object_changed"),
        ("c", "object_missing"),
        ("gone-empty", "object_missing"),
    ]


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        (b"\x1f\x8b\x08\x00rest", "gzip"),
        (b"\xff\xfea\x00", "UTF-16"),
        (b"a.pdf\ns3://source/b.pdf\n", "line 2: an s3:// URL"),
        (b'"source","a.pdf"\n', "CSV"),
        (b'["a.pdf",\n', "JSON"),
        (b'{"keys": ["a.pdf"]}', "JSON"),
    ],
)
def test_a_manifest_in_another_format_is_refused_with_a_hint(raw: bytes, hint: str) -> None:
    with pytest.raises(KeyListError, match=hint):
        list(parse_manifest([raw], "list"))


@pytest.mark.parametrize("key", ['a "quoted" word.pdf', "[draft] a.pdf", "{a}.txt", "s3/a", '"', "a,b.csv"])
def test_a_key_that_only_looks_like_another_format_is_taken(key: str) -> None:
    assert list(parse_manifest([key.encode()], "list")) == [key]


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidObjectState", "InvalidRequest"])
def test_a_manifest_that_cannot_be_read_is_named(aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def raise_if_fatal(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")

    monkeypatch.setattr(aws.s3, "get_object", raise_if_fatal)
    with pytest.raises(KeyListError, match=r"manifestKey 'lists/m\.txt' "):
        list(reader(aws).read_manifest("lists/m.txt"))
