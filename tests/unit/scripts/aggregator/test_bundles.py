"""The aggregator's scripts, against an S3 of the emulator."""

import gzip
import hashlib
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from lib.aggregator.invoke_batches import FunctionFailedError, hand_over
from lib.aggregator.small_objects import draw_object, put_objects
from lib.aggregator.watch_bundles import Bundled, NotBundledError, list_versions, read_new_bundles
from tests.unit.scripts.conftest import RunScript

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def put_bundle(s3: "S3Client", key: str, sources: dict[str, bytes]) -> None:
    """Put a bundle of ``source``'s objects into the bucket ``target``."""
    data, entries = b"", []
    for name, body in sources.items():
        entry = {"id": name, "bucket": "source", "key": name, "version_id": "null", "etag": name, "size": len(body)}
        entries.append(entry | {"offset": len(data), "length": len(body), "sha256": hashlib.sha256(body).hexdigest()})
        data += body
    raw = gzip.compress(data)
    totals = {"sources": len(entries), "input_bytes": len(data), "uncompressed_bytes": len(data)}
    manifest = {
        "request_id": "r",
        "bundle": f"{key}.gz",
        "bundle_sha256": hashlib.sha256(raw).hexdigest(),
        "totals": totals | {"bundle_bytes": len(raw)},
        "sources": entries,
    }
    s3.put_object(Bucket="target", Key=f"{key}.gz", Body=raw)
    s3.put_object(Bucket="target", Key=f"{key}.manifest.json", Body=json.dumps(manifest).encode())


def test_objects_are_the_same_for_the_same_seed(s3: "S3Client") -> None:
    assert draw_object(1, 7) == draw_object(1, 7) != draw_object(2, 7)
    size = put_objects(s3, "source", "x/", 12, seed=1, parallel=4)
    versions = list_versions(s3, "source", "x/")
    assert len(versions) == 12
    assert size == sum(len(draw_object(1, number)) for number in range(12))
    assert all(json.loads(line)["session"] for line in draw_object(1, 3).splitlines())


def test_bundles_are_counted_once_and_only_for_the_wanted_objects(s3: "S3Client") -> None:
    put_bundle(s3, "one", {"a": b"a\n", "foreign": b"f\n"})
    wanted = {("source", "a", "null"), ("source", "b", "null")}
    bundled = Bundled()
    for _ in range(2):
        read_new_bundles(s3, "target", wanted, bundled)
    assert dict(bundled.counts) == {("source", "a", "null"): 1}
    put_bundle(s3, "two", {"b": b"b\n", "a": b"a\n"})
    read_new_bundles(s3, "target", wanted, bundled)
    assert bundled.counts["source", "a", "null"] == 2


def test_watching_ends_with_a_reason_when_an_object_is_bundled_twice(run_script: RunScript, s3: "S3Client") -> None:
    from rich.progress import Progress  # noqa: PLC0415

    from lib.aggregator.watch_bundles import wait_for_bundles  # noqa: PLC0415

    for name in ("one", "two"):
        put_bundle(s3, name, {"a": b"a\n"})
    with pytest.raises(NotBundledError, match="more than one bundle"):
        wait_for_bundles(s3, "target", {("source", "a", "null")}, 5, Progress(disable=True))
    with pytest.raises(NotBundledError, match="0/1 objects"):
        wait_for_bundles(s3, "target", {("source", "z", "null")}, 0, Progress(disable=True))


def test_verify_bundles_checks_all_and_cuts_one(run_script: RunScript, s3: "S3Client") -> None:
    put_bundle(s3, "one", {"a": b"alpha\n", "b": b"beta\n"})
    buckets = {"DISTRIBUTION_BUCKET": "target", "ARCHIVE_BUCKET": "target"}
    done = run_script("verify_bundles.sh", **buckets)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sources"] == 2
    assert run_script("verify_bundles.sh", "cut", "s3://target/one.gz", "b").stdout == "beta\n"
    assert run_script("verify_bundles.sh", "bundle", "s3://target/one.gz").returncode == 0
    put_bundle(s3, "two", {"a": b"alpha\n"})
    done = run_script("verify_bundles.sh", **buckets)
    assert done.returncode == 1
    assert "source in several bundles" in done.stdout


def test_verify_bundles_refuses_what_it_does_not_know(run_script: RunScript) -> None:
    assert run_script("verify_bundles.sh", "destroy").returncode == 2


class FakeFunctions:
    """Lambda, as far as invoking goes."""

    def __init__(self, payload: Any, error: str | None = None) -> None:
        self._answer = {"Payload": io.BytesIO(json.dumps(payload).encode())} | (
            {"FunctionError": error} if error else {}
        )

    def invoke(self, **_: Any) -> Any:
        return self._answer


def test_messages_that_the_function_gives_back_are_not_done() -> None:
    records = [{"messageId": "1"}, {"messageId": "2"}]
    functions: Any = FakeFunctions({"batchItemFailures": [{"itemIdentifier": "1"}]})
    assert hand_over(functions, "f", records) == [{"messageId": "2"}]


def test_function_that_raises_is_reported() -> None:
    functions: Any = FakeFunctions({"errorMessage": "DISTRIBUTION_BUCKET_NAME is not set"}, "Unhandled")
    with pytest.raises(FunctionFailedError, match="DISTRIBUTION_BUCKET_NAME is not set"):
        hand_over(functions, "f", [])


def test_bundle_of_an_object_is_found_the_newest_one(run_script: RunScript, s3: "S3Client") -> None:
    put_bundle(s3, "2026/11/26/01/old", {"logs/a b.txt": b"1\n"})
    time.sleep(1)  # S3 tells times in whole seconds
    put_bundle(s3, "2026/11/26/01/new", {"logs/a b.txt": b"2\n", "logs/b": b"b\n"})
    put_bundle(s3, "2026/11/26/02/other", {"logs/c": b"c\n"})

    newest = run_script("verify_bundles.sh", "find", "logs/a b.txt", DISTRIBUTION_BUCKET="target")
    within = run_script(
        "verify_bundles.sh", "find", "logs/c", "--prefix", "2026/11/26/01/", DISTRIBUTION_BUCKET="target"
    )

    assert newest.stdout == "s3://target/2026/11/26/01/new.gz\n", newest.stderr
    cut = run_script("verify_bundles.sh", "cut", newest.stdout.strip(), "logs/a b.txt")
    assert cut.stdout == "2\n"
    assert (within.returncode, within.stdout) == (1, "")
    assert "no bundle in s3://target/2026/11/26/01/ holds logs/c" in within.stderr


def test_object_that_is_not_bundled_yet_is_waited_for(run_script: RunScript, s3: "S3Client") -> None:
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(
            run_script, "verify_bundles.sh", "find", "late", "--wait", "50", DISTRIBUTION_BUCKET="target"
        )
        time.sleep(1)
        put_bundle(s3, "bundle", {"late": b"x"})
        assert found.result().stdout == "s3://target/bundle.gz\n"


def test_bundles_of_either_layout_are_watched(s3: "S3Client") -> None:
    put_bundle(s3, "old", {"a": b"a\n"})
    raw = s3.get_object(Bucket="target", Key="old.manifest.json")["Body"].read()
    s3.put_object(Bucket="target", Key="_manifests/new.manifest.json", Body=gzip.compress(raw.replace(b"old", b"new")))
    s3.put_object(Bucket="target", Key="new.gz", Body=b"")
    bundled = Bundled()
    read_new_bundles(s3, "target", {("source", "a", "null")}, bundled)
    assert bundled.counts["source", "a", "null"] == 2
