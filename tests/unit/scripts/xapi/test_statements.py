"""The xAPI ETL's scripts: what they generate, and what they say of answers."""

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from rich.progress import Progress

from lib.xapi import statements, watch_rows
from lib.xapi.statements import draw_object, list_wanted, put_object
from lib.xapi.watch_rows import NotLandedError, wait_for_rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_statements_are_the_same_for_the_same_seed_and_all_differ() -> None:
    assert draw_object("a", 3, 50) == draw_object("a", 3, 50)
    lines = [line for seed in ("a", "b") for number in (3, 4) for line in draw_object(seed, number, 50).splitlines()]
    drawn = [json.loads(line) for line in lines]
    assert len({one["id"] for one in drawn}) == 200
    assert {"actor", "verb", "object", "result", "context", "timestamp"} <= drawn[0].keys()
    assert 1000 < sum(map(len, lines)) / len(lines) < 1400


@pytest.mark.parametrize("objects", [1, 3, 7])
def test_statements_are_spread_over_the_objects_and_none_is_lost(objects: int) -> None:
    wanted = list_wanted("bucket", "p/", "seed", 20, objects)
    assert sum(one.statements for one in wanted) == 20
    assert max(one.statements for one in wanted) - min(one.statements for one in wanted) <= 1
    assert len({one.key for one in wanted}) == objects


def test_every_other_object_is_compressed(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_connect", lambda: s3)
    for one in list_wanted("source", "p/", "seed", 10, 2):
        put_object(one)
    plain = s3.get_object(Bucket="source", Key="p/00000.jsonl")["Body"].read()
    packed = s3.get_object(Bucket="source", Key="p/00001.jsonl.gz")["Body"].read()
    assert plain == draw_object("seed", 0, 5)
    assert gzip.decompress(packed) == draw_object("seed", 1, 5)


@pytest.mark.parametrize(("rows", "problem"), [(9, "only 9 of 10"), (11, "there twice")])
def test_rows_that_lack_or_are_too_many_are_told(rows: int, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_rows, "count_rows", lambda source: rows)
    with Progress(disable=True) as progress, pytest.raises(NotLandedError, match=problem):
        wait_for_rows("s3://source/p/", 10, -1, progress)
