"""Second tier: what stands in the bundle and in its manifest, whatever the objects' formats are."""

import bz2
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from backports import zstd

from data_aggregator.bundle.manifest import name_manifest, name_old_manifest, read_manifest
from tests.support.tiers import few_quick
from tests.unit.data_aggregator.conftest import Aws, Context

LINES = b'{"a":1}\n{"a":2}\n'


def test_compressed_objects_are_told_by_bytes_and_coding_and_the_manifest_says_what_was_done(aws: Aws) -> None:
    bodies = [
        aws.put("firehose-1", gzip.compress(LINES) + gzip.compress(LINES)),
        aws.put("fluent-bit.json", gzip.compress(LINES), coding="gzip"),
        aws.put("b.json.gzip", gzip.compress(LINES), bucket="plain"),
        aws.put("c.zst", zstd.compress(LINES) + zstd.compress(LINES)),
        aws.put("d", bz2.compress(LINES)),
        aws.put("e", zstd.compress(gzip.compress(LINES)), coding="gzip, zstd"),
        aws.put("plain", b"BZh9 is text\n", coding="utf-8"),
    ]
    assert aws.deliver(*bodies) == []
    assert aws.bundle() == LINES * 8 + b"BZh9 is text\n"
    entries = aws.manifest()["sources"]
    assert [entry["decompressed"] for entry in entries] == [
        ["gzip"],
        ["gzip"],
        ["gzip"],
        ["zstd"],
        ["bzip2"],
        ["zstd", "gzip"],
        [],
    ]
    codings = [entry.get("content_encoding") for entry in entries]
    assert codings == [None, "gzip", None, None, None, "gzip, zstd", "utf-8"]


@pytest.mark.parametrize("pack", few_quick([gzip.compress, zstd.compress, bz2.compress], quick=2))
def test_object_in_many_blocks_is_decompressed_as_one(aws: Aws, pack: Callable[[bytes], bytes]) -> None:
    parts = [random.Random(number).randbytes(2**20) for number in range(10)]
    body = aws.put("k", b"".join(map(pack, parts)))
    assert aws.deliver(body) == []
    assert aws.bundle() == b"".join(parts)


def test_bomb_is_refused_and_its_neighbours_are_bundled(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BUNDLE_INPUT_MB", "1")
    bomb = aws.put("bomb", zstd.compress(zstd.compress(b"\0" * 50 * 2**20)))
    assert aws.deliver(aws.put("a", b"a"), bomb, aws.put("b", b"b")) == [bomb]
    assert [key for key, _ in aws.bundled()] == ["a", "b"]
    assert aws.reasons() == ["refused: more than 1048576 bytes, the limit of a bundle (MAX_BUNDLE_INPUT_MB)"]


def test_bundles_may_be_joined(aws: Aws) -> None:
    for name in ("a", "b", "c"):
        assert aws.deliver(aws.put(name, name.encode())) == []
    raw = [aws.s3.get_object(Bucket="distribution", Key=key)["Body"].read() for key in aws.bundle_keys()]
    assert sorted(gzip.decompress(b"".join(raw)).splitlines()) == [b"a", b"b", b"c"]


def test_readers_of_an_hour_find_nothing_but_data(aws: Aws, tmp_path: Path) -> None:
    assert aws.deliver(aws.put("a", LINES), aws.put("b", LINES[:-1])) == []
    for key in aws.distributed_keys():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(aws.s3.get_object(Bucket="distribution", Key=key)["Body"].read())
    hour = aws.bundle_keys()[0].rpartition("/")[0]
    rows = duckdb.execute(f"select a from read_json('{tmp_path}/{hour}/*', compression='gzip')").fetchall()
    assert sorted(rows) == [(1,), (1,), (2,), (2,)]
    assert duckdb.execute(f"select count(*) from read_json('{tmp_path}/**/*.gz')").fetchall() == [(4,)]


def test_manifest_is_compressed_json_apart_from_the_bundles(aws: Aws) -> None:
    bodies = [aws.put(f"events/{number:04d}.json", b'{"n":%d}' % number) for number in range(200)]
    assert aws.deliver(*bodies) == []
    (bundle,) = aws.bundle_keys()
    assert aws.distributed_keys() == [bundle, f"_manifests/{bundle.removesuffix('.gz')}.manifest.json"]
    answer = aws.s3.get_object(Bucket="distribution", Key=name_manifest(bundle))
    assert (answer["ContentType"], answer["ContentEncoding"]) == ("application/json", "gzip")
    raw = answer["Body"].read()
    assert len(raw) < 200 * 130, "a digest, an ETag and a version id do not shrink; the rest does"
    assert len(json.loads(gzip.decompress(raw))["sources"]) == 200
    assert len({entry["id"] for entry in read_manifest(raw)["sources"]}) == 200


def test_manifest_of_objects_without_versions_holds_the_ids_that_cannot_be_computed(aws: Aws) -> None:
    assert aws.deliver(aws.put("a", bucket="plain"), aws.put("a", bucket="plain")) == []
    ids = {entry["id"] for entry in aws.manifest()["sources"]}
    items = aws.dynamodb.scan(TableName="idempotency")["Items"]
    assert ids == {item["id"]["S"] for item in items if item["status"]["S"] == "COMPLETED"}


@pytest.mark.parametrize("is_in_it", [True, False])
def test_expired_claim_of_an_earlier_version_is_decided_by_the_manifest_beside_its_bundle(
    aws: Aws, is_in_it: bool
) -> None:
    body, other = aws.put("a", b"a"), aws.put("b", b"b")
    assert aws.deliver(body, context=Context()) == []
    (bundle,) = aws.bundle_keys()
    manifest = aws.manifest()
    aws.s3.delete_object(Bucket="distribution", Key=name_manifest(bundle))
    aws.s3.put_object(Bucket="distribution", Key=name_old_manifest(bundle), Body=json.dumps(manifest).encode())
    claimed = body if is_in_it else other
    aws.claim_elsewhere(claimed, bundle=bundle, upload_id="ended", seconds=-1)
    assert aws.deliver(claimed) == []
    assert len(aws.bundle_keys()) == (1 if is_in_it else 2)
