"""The data aggregator as deployed: objects land, bundles and their copies appear."""

import gzip
import json
import os
import random
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from data_aggregator.bundle.manifest import name_manifest, read_manifest
from tests.e2e.stack import Stack, wait_until
from verify_bundles.bundle_checks import check_bundle

SECONDS = 240
BACKLOG = int(os.environ.get("AGGREGATOR_BACKLOG", "1000"))
MIB = 2**20

type Version = tuple[str, str]
"""Key and version id."""


@dataclass(frozen=True)
class Aggregation:
    """The aggregator's buckets and queues, seen from one test's prefix."""

    stack: Stack
    prefix: str

    def __getattr__(self, name: str) -> str:
        return self.stack.outputs[name]

    def put(self, contents: Mapping[str, bytes]) -> dict[Version, bytes]:
        """Put objects under the prefix, many at once; return their contents by version."""

        def put_one(item: tuple[str, bytes]) -> tuple[Version, bytes]:
            key, body = f"{self.prefix}{item[0]}", item[1]
            answer = self.stack.s3.put_object(Bucket=self.aggregator_source_bucket, Key=key, Body=body)
            return (key, answer["VersionId"]), body

        with ThreadPoolExecutor(20) as pool:
            return dict(pool.map(put_one, contents.items()))

    def wait_for(self, versions: Mapping[Version, bytes]) -> dict[Version, list[tuple[str, dict[str, Any]]]]:
        """Return in which bundles each version is, with its manifest entry, once all are in one."""

        def look() -> dict[Version, list[tuple[str, dict[str, Any]]]] | None:
            found = self.find(versions)
            return found if len(found) == len(versions) else None

        return wait_until(look, f"{len(versions)} versions in bundles", SECONDS, pause=1)

    def find(self, versions: Mapping[Version, bytes]) -> dict[Version, list[tuple[str, dict[str, Any]]]]:
        found: dict[Version, list[tuple[str, dict[str, Any]]]] = {}
        for key in self.list_keys(self.distribution_bucket):
            if key.endswith(".gz"):
                for entry in self.manifest(key)["sources"]:
                    version = (entry["key"], entry["version_id"])
                    if version in versions:
                        found.setdefault(version, []).append((key, entry))
        return found

    def manifest(self, bundle: str) -> dict[str, Any]:
        if bundle not in _MANIFESTS:
            answer = self.stack.s3.get_object(Bucket=self.distribution_bucket, Key=name_manifest(bundle))
            _MANIFESTS[bundle] = dict(read_manifest(answer["Body"].read()))
        return _MANIFESTS[bundle]

    def zcat(self, bundle: str) -> bytes:
        raw = self.stack.s3.get_object(Bucket=self.distribution_bucket, Key=bundle)["Body"].read()
        return subprocess.run(["gzip", "-dc"], input=raw, capture_output=True, check=True).stdout

    def list_keys(self, bucket: str) -> set[str]:
        pages = self.stack.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def send(self, body: str) -> None:
        self.stack.sqs.send_message(QueueUrl=self.aggregator_queue_url, MessageBody=body)

    def take_dead_letter(self, marker: str) -> str | None:
        """Return and delete the dead letter that holds the marker, once there is one."""
        answer = self.stack.sqs.receive_message(
            QueueUrl=self.aggregator_dlq_url, MaxNumberOfMessages=10, VisibilityTimeout=2, WaitTimeSeconds=1
        )
        for message in answer.get("Messages", []):
            if marker in message["Body"]:
                self.stack.sqs.delete_message(QueueUrl=self.aggregator_dlq_url, ReceiptHandle=message["ReceiptHandle"])
                return message["Body"]
        return None


_MANIFESTS: dict[str, dict[str, Any]] = {}
"""Manifests never change."""


@pytest.fixture
def aggregation(stack: Stack, prefix: str) -> Iterator[Aggregation]:
    made = Aggregation(stack, prefix)
    yield made
    stack.delete_versions(made.aggregator_source_bucket, prefix)


def assert_bundled_once(aggregation: Aggregation, contents: Mapping[Version, bytes]) -> None:
    """Each version is in one bundle, its bytes are there, and bundle and manifest are in the archive."""
    found = aggregation.wait_for(contents)
    assert {version: len(places) for version, places in found.items()} == dict.fromkeys(contents, 1)
    bundles = {bundle for places in found.values() for bundle, _ in places}
    data = {bundle: aggregation.zcat(bundle) for bundle in bundles}
    for version, ((bundle, entry),) in found.items():
        body = contents[version]
        plain = gzip.decompress(body) if version[0].endswith(".gz") and body else body
        assert data[bundle][entry["offset"] : entry["offset"] + entry["length"]] == plain, version
    wanted = bundles | {name_manifest(bundle) for bundle in bundles}

    def look() -> bool:
        return wanted <= aggregation.list_keys(aggregation.archive_bucket)

    wait_until(look, "copies in the archive", SECONDS)


def test_four_hundred_objects_at_once_are_each_in_one_bundle(aggregation: Aggregation) -> None:
    dice = random.Random(1)
    contents = aggregation.put({f"{number}.log": dice.randbytes(dice.randrange(5000)) for number in range(400)})
    assert_bundled_once(aggregation, contents)


@pytest.mark.slow
def test_backlog_is_worked_off(aggregation: Aggregation) -> None:
    with aggregation.stack.paused_queue("aggregator_queue_url"):
        contents = aggregation.put({f"{number}": b"%d\n" % number for number in range(BACKLOG)})
    assert_bundled_once(aggregation, contents)


def test_odd_keys_empty_objects_and_compressed_ones_are_bundled(aggregation: Aggregation) -> None:
    odd = ["a b", "a+b", "ünï/cödé", "../up", "a//b", "100 %", "q'\"", "%2F", "🪣", "empty.gz", "x" * 900]
    contents = {f"{key}.txt": key.encode() for key in odd}
    contents |= {"empty": b"", "empty.gz": b"", "members.gz": gzip.compress(b"one\n") + gzip.compress(b"two")}
    assert_bundled_once(aggregation, aggregation.put(contents))


def test_overwrite_is_a_new_source_in_a_new_bundle(aggregation: Aggregation) -> None:
    first = aggregation.put({"a": b"first"})
    assert_bundled_once(aggregation, first)
    second = aggregation.put({"a": b"second"})
    assert_bundled_once(aggregation, first | second)


def test_duplicated_message_bundles_nothing_again(aggregation: Aggregation) -> None:
    contents = aggregation.put({"a": b"alpha"})
    assert_bundled_once(aggregation, contents)
    ((key, version),) = contents
    bucket = aggregation.aggregator_source_bucket
    for _ in range(3):
        aggregation.send(json.dumps({"bucket": bucket, "key": key, "version_id": version}))
    after = aggregation.put({"b": b"beta"})  # comes later than the duplicates
    assert_bundled_once(aggregation, contents | after)
    time.sleep(3)  # a second bundle would be there by now
    assert_bundled_once(aggregation, contents | after)


def test_sns_wrapped_and_plain_messages_are_understood(aggregation: Aggregation) -> None:
    with aggregation.stack.paused_queue("aggregator_queue_url"):
        contents = aggregation.put({"plain": b"plain", "wrapped": b"wrapped"})
        bucket = aggregation.aggregator_source_bucket
        for number, (key, version) in enumerate(contents):
            body = json.dumps({"bucket": bucket, "key": key, "version_id": version})
            aggregation.send(json.dumps({"Type": "Notification", "Message": body}) if number else body)
    assert_bundled_once(aggregation, contents)


def test_deleted_object_does_not_keep_its_neighbours(aggregation: Aggregation) -> None:
    with aggregation.stack.paused_queue("aggregator_queue_url"):
        gone = aggregation.put({"gone": b"gone"})
        ((key, version),) = gone
        aggregation.stack.s3.delete_object(Bucket=aggregation.aggregator_source_bucket, Key=key, VersionId=version)
        contents = aggregation.put({"here": b"here"})
    assert_bundled_once(aggregation, contents)
    time.sleep(3)  # a bundle of its own would be there by now
    assert aggregation.find(gone) == {}


def test_poison_ends_in_the_dead_letter_queue_while_its_neighbours_are_bundled(aggregation: Aggregation) -> None:
    marker = uuid.uuid4().hex
    with aggregation.stack.paused_queue("aggregator_queue_url"):
        aggregation.send(f"poison {marker}")
        broken = aggregation.put({f"broken-{marker}.gz": b"no gzip"})
        contents = aggregation.put({f"{number}": b"fine" for number in range(20)})
    assert_bundled_once(aggregation, contents)
    for what in (f"poison {marker}", f"broken-{marker}.gz"):
        wait_until(partial(aggregation.take_dead_letter, what), f"{what} among the dead letters", SECONDS)
    assert aggregation.find(broken) == {}


def test_bundle_is_what_its_manifest_says(aggregation: Aggregation) -> None:
    found = aggregation.wait_for(aggregation.put({"a": b"alpha", "b": b"beta\n" * 1000}))
    for bundle in {bundle for places in found.values() for bundle, _ in places}:
        answer = aggregation.stack.s3.get_object(Bucket=aggregation.distribution_bucket, Key=bundle)
        check_bundle(answer["Body"], aggregation.manifest(bundle))  # type: ignore[arg-type]


def test_large_objects_are_bundled_too(aggregation: Aggregation) -> None:
    dice = random.Random(2)
    assert_bundled_once(
        aggregation, aggregation.put({f"{size}.bin": dice.randbytes(size * MIB + 1) for size in (9, 30)})
    )
