"""Second tier: reading sources, the quick way and the careful one."""

from collections.abc import Mapping

import pytest

from data_aggregator.exceptions import SourceError
from data_aggregator.reading.source_reader import SourceReader
from data_aggregator.s3_get import Answer
from data_aggregator.schemas import ObjectName, Source
from tests.unit.data_aggregator.conftest import Aws


class QuickWay:
    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, dict[str, str], int, str | None]] = []

    def get(
        self, bucket: str, key: str, headers: Mapping[str, str], length: int, version_id: str | None
    ) -> Answer | None:
        self.asked.append((bucket, key, dict(headers), length, version_id))
        return self.answer


def look_up(aws: Aws, quick: QuickWay) -> tuple[SourceReader, Source]:
    """Put an object and look it up."""
    aws.s3.create_bucket(Bucket="plain")
    aws.s3.put_object(Bucket="plain", Key="a.txt", Body=b"alpha")
    reader = SourceReader(aws.s3, quick.get, concurrency=2, budget=1_000_000)
    (source,) = reader.look_up([ObjectName("plain", "a.txt", None)])
    assert isinstance(source, Source)
    return reader, source


def read(aws: Aws, quick: QuickWay) -> tuple[Source, bytes]:
    """Put an object, look it up and read it."""
    reader, source = look_up(aws, quick)
    with reader.open([source], lambda: None) as feed:
        return source, b"".join(feed.contents(source))


def test_quick_way_is_asked_for_exactly_what_was_looked_up(aws: Aws) -> None:
    quick = QuickWay(Answer(b"quick", 5, {}))
    source, data = read(aws, quick)
    assert data == b"quick"
    assert quick.asked == [("plain", "a.txt", {"If-Match": f'"{source.etag}"'}, 5, source.version_id)]


@pytest.mark.parametrize("answer", [None, Answer(b"other", 6, {})])
def test_what_the_quick_way_does_not_bring_is_get_object_boto3(aws: Aws, answer: Answer | None) -> None:
    assert read(aws, QuickWay(answer))[1] == b"alpha"


def test_failure_of_both_ways_is_the_sources_error(aws: Aws) -> None:
    reader, source = look_up(aws, QuickWay(None))
    aws.s3.delete_object(Bucket="plain", Key="a.txt")
    with reader.open([source], lambda: None) as feed, pytest.raises(SourceError, match="does not exist any more"):
        list(feed.contents(source))
