import io
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.response import StreamingBody

from tests.unit.zip_worker.conftest import Aws
from zip_worker.exceptions import ShortReadError, SourceChangedError
from zip_worker.s3.source_reader import SourceReader
from zip_worker.s3.survey import Surveyor
from zip_worker.s3_get import Answer
from zip_worker.schemas import BlockRequest, Source


def survey(aws: Aws, keys: list[str]) -> list[Source]:
    return Surveyor(aws.s3, "source", concurrency=4).survey(keys).sources


def reader(aws: Aws) -> SourceReader:
    return SourceReader(aws.s3, "source", concurrency=4, get_object_fast=lambda *_: None)


def request_for(aws: Aws, key: str, start: int, length: int) -> BlockRequest:
    return BlockRequest(survey(aws, [key])[0], start, length)


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


def test_quick_read_asks_for_exactly_the_surveyed_object_and_range(aws: Aws) -> None:
    aws.put({"a": b"0123456789"})
    asked: list[tuple[str, str, dict[str, str], int]] = []

    def quick(bucket: str, key: str, headers: Mapping[str, str], length: int) -> Answer:
        asked.append((bucket, key, dict(headers), length))
        return Answer(b"456", 10, {})

    request = request_for(aws, "a", 4, 3)
    assert SourceReader(aws.s3, "source", 4, quick).read_block(request) == b"456"
    assert asked == [("source", "a", {"If-Match": request.source.etag, "Range": "bytes=4-6"}, 3)]


def test_a_probe_names_what_cannot_be_read_by_now(aws: Aws) -> None:
    aws.put({"a": b"1", "b": b"2", "c": b"3", "empty": b"", "gone-empty": b""})
    sources = survey(aws, ["a", "b", "c", "empty", "gone-empty"])
    aws.put({"b": b"changed"})
    for key in ("c", "gone-empty"):
        aws.s3.delete_object(Bucket="source", Key=key)
    assert [(fault.key, fault.code) for fault in reader(aws).probe(sources)] == [
        ("b", "object_changed"),
        ("c", "object_missing"),
        ("gone-empty", "object_missing"),
    ]
