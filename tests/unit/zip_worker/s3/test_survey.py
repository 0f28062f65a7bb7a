from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.zip_worker.conftest import Aws
from zip_worker.exceptions import KeyListError
from zip_worker.s3.survey import Surveyor


@pytest.fixture
def calls(aws: Aws) -> list[str]:
    """The names of the S3 operations that are called."""
    names: list[str] = []
    aws.s3.meta.events.register("before-call.s3", lambda model, **_: names.append(model.name))
    return names


def surveyor(aws: Aws, head_from: int | None = None) -> Surveyor:
    return Surveyor(aws.s3, "source", concurrency=4, head_from=head_from)


def test_few_keys_are_asked_for_one_by_one(aws: Aws, calls: list[str]) -> None:
    aws.put({"a/1.pdf": b"one", "b/2.pdf": b"three"})
    calls.clear()
    survey = surveyor(aws).survey(["b/2.pdf", "gone.pdf", "a/1.pdf"])
    assert [(source.key, source.size) for source in survey.sources] == [("b/2.pdf", 5), ("a/1.pdf", 3)]
    assert survey.missing == ["gone.pdf"]
    assert calls == ["HeadObject"] * 3


@pytest.fixture
def pages_of_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zip_worker.s3.survey._PAGE", 20)


@pytest.mark.usefixtures("pages_of_twenty")
def test_many_neighbouring_keys_are_found_by_listing(aws: Aws, calls: list[str]) -> None:
    keys = [f"uploads/{number:05d} ü+.pdf" for number in range(50)]
    aws.put({key: b"x" * (number % 7) for number, key in enumerate(keys) if number % 10})
    calls.clear()
    survey = surveyor(aws).survey(keys[::-1])
    assert survey.missing == [key for number, key in enumerate(keys) if not number % 10][::-1]
    assert [source.size for source in survey.sources] == [n % 7 for n in range(50) if n % 10][::-1]
    assert calls == ["ListObjectsV2"] * 3


@pytest.mark.usefixtures("pages_of_twenty")
def test_keys_lost_in_a_crowd_are_not_listed_for_ever(aws: Aws, calls: list[str]) -> None:
    aws.put({f"crowd/{number:05d}": b"" for number in range(130)})
    wanted = [f"crowd/{number:05d}" for number in range(0, 130, 10)]
    calls.clear()
    survey = surveyor(aws).survey(wanted)
    assert [source.key for source in survey.sources] == wanted
    assert calls.count("ListObjectsV2") == 1
    assert calls.count("HeadObject") == 11  # the first page of 20 held two of them


def test_key_named_twice_is_surveyed_once_and_returned_twice(aws: Aws) -> None:
    aws.put({"a": b"1"})
    assert [source.key for source in surveyor(aws).survey(["a", "a"]).sources] == ["a", "a"]


def test_denied_access_is_not_taken_for_a_missing_object(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(**_: object) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    monkeypatch.setattr(aws.s3, "head_object", deny)
    survey = surveyor(aws).survey(["a"])
    assert (survey.missing, [fault.code for fault in survey.faults]) == ([], ["object_denied"])


def test_missing_manifest_is_named(aws: Aws) -> None:
    with pytest.raises(KeyListError, match=r"manifestKey 'lists/m.txt' does not exist"):
        list(surveyor(aws).read_manifest("lists/m.txt"))


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
    survey = surveyor(aws).survey(["a", "b"])
    assert [(one.key, one.code) for one in survey.faults] == [("a", fault)]
    assert [source.key for source in survey.sources] == ["b"]


@pytest.mark.parametrize("code", ["SlowDown", "503", "InternalError", "RequestTimeout"])
def test_an_error_that_may_pass_is_nobodys_fault(aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    aws.put({"a": b"1"})
    fail_heads(monkeypatch, aws, code, "a")
    with pytest.raises(ClientError, match=code):
        surveyor(aws).survey(["a"])


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
    survey = surveyor(aws).survey([*others, "docs/cold"])
    assert [(fault.key, fault.code) for fault in survey.faults] == [("docs/cold", "object_archived")]
    assert len(survey.sources) == many
    assert calls == (["ListObjectsV2", "HeadObject"] if many else ["HeadObject"]), "only what may be archived"


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "GLACIER_IR", "INTELLIGENT_TIERING"])
def test_other_classes_can_be_read(aws: Aws, storage_class: str) -> None:
    put_cold(aws, "a", storage_class)
    assert surveyor(aws).survey(["a"]).faults == []


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
    assert bool(surveyor(aws).survey(["a"]).sources) is is_readable


def test_large_listed_objects_are_asked_for_one_by_one(aws: Aws, calls: list[str]) -> None:
    aws.put({f"docs/{number:03d}": b"x" * number for number in range(30)})
    calls.clear()
    finder = surveyor(aws, head_from=28)
    assert finder.inspect(list(finder.list_prefix("docs/"))).faults == []
    assert calls == ["ListObjectsV2", "HeadObject", "HeadObject"]


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidObjectState", "InvalidRequest"])
def test_a_manifest_that_cannot_be_read_is_named(aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def raise_if_fatal(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")

    monkeypatch.setattr(aws.s3, "get_object", raise_if_fatal)
    with pytest.raises(KeyListError, match=r"manifestKey 'lists/m\.txt' "):
        list(surveyor(aws).read_manifest("lists/m.txt"))
