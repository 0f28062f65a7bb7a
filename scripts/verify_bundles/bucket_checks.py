"""Checks of whole buckets: each source is in exactly one bundle, and each bundle is in the archive.

The buckets change during the check: sources arrive, consumers delete bundles, replication is in progress. Objects
younger than the grace period are ``pending``; the idempotency table tells which sources were bundled and deleted since.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from data_aggregator.bundle.manifest import (
    BUNDLE_SUFFIX,
    MANIFEST_PREFIX,
    MANIFEST_SUFFIX,
    name_bundle_of,
    name_manifest,
    name_old_manifest,
    read_manifest,
)
from data_aggregator.claims.table import Claim
from data_aggregator.exceptions import VerificationError
from data_aggregator.schemas import Manifest, source_id
from verify_bundles.bundle_checks import check_bundle
from verify_bundles.dead_letters import DeadLetters

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_CONCURRENCY = 8
_READ_BATCH = 100
"""DynamoDB's limit of BatchGetItem."""
_MISSING = {"404", "NoSuchKey", "NoSuchVersion"}

type Listing = dict[str, tuple[int, datetime]]
"""Size and time of each key."""


@dataclass(slots=True)
class Findings:
    """The result of the checks."""

    bundles: int = 0
    sources: int = 0
    input_bytes: int = 0
    uncompressed_bytes: int = 0
    bundle_bytes: int = 0
    cleared: int = 0
    """Number of sources whose published bundle was deleted, by the idempotency table; and of bundles deleted during the
    check."""
    pending: list[str] = field(default_factory=list)
    """Objects that are younger than the grace period, or in progress."""
    dead_letters: list[str] = field(default_factory=list)
    """Sources whose message is in the dead-letter queue, with the reason."""
    abandoned_manifests: list[str] = field(default_factory=list)
    """Manifests of bundles that were never published; they have no meaning."""
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an object in the source bucket."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    modified: datetime

    def __str__(self) -> str:
        """Return the text that findings show."""
        return str((self.bucket, self.key, self.version_id or self.etag))


class BucketCheck:
    """Checks a deployment's buckets, and collects the results in ``findings``.

    Args:
        s3: an S3 client.
        bucket: the distribution bucket.
        prefix: only bundles whose keys begin with it.
        grace_seconds: age below which a missing bundle, manifest or copy is not a problem.
    """

    def __init__(self, s3: S3Client, bucket: str, prefix: str, grace_seconds: float) -> None:
        self.findings = Findings()
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._young = datetime.now(UTC) - timedelta(seconds=grace_seconds)
        self._bundles_of: dict[str, list[str]] = defaultdict(list)
        self._unversioned: set[tuple[str, str, str]] = set()
        self._keys: Listing = {}

    def check_bundles(self, *, contents: bool) -> None:
        """Read every manifest; with ``contents`` every bundle too, byte by byte."""
        self._keys = _list(self._s3, self._bucket, self._prefix)
        if self._prefix:
            self._keys |= _list(self._s3, self._bucket, MANIFEST_PREFIX + self._prefix)
        bundles = sorted(key for key in self._keys if key.endswith(BUNDLE_SUFFIX))
        self.findings.abandoned_manifests = sorted(
            key for key in self._keys if key.endswith(MANIFEST_SUFFIX) and name_bundle_of(key) not in self._keys
        )
        with ThreadPoolExecutor(_CONCURRENCY) as pool:
            looks = pool.map(lambda key: self._look_at(key, contents=contents), bundles)
            for key, (manifest, problem) in zip(bundles, looks, strict=True):
                if problem and self._is_gone(key):
                    self.findings.cleared += 1
                elif problem:
                    self._judge(f"{key}: {problem}", self._keys[key][1], is_lag=manifest is None)
                if manifest:
                    self._add(key, manifest)
        self.findings.problems += [
            f"source in several bundles: {name}: {', '.join(found)}"
            for name, found in self._bundles_of.items()
            if len(found) > 1
        ]

    def check_sources(
        self, bucket: str, prefix: str, dynamodb: DynamoDBClient, table: str | None, letters: DeadLetters
    ) -> None:
        """Account for each version of each source: bundle, record in the table, dead letter, or problem."""
        missing = [version for version in self._list_versions(bucket, prefix) if not self._is_bundled(version)]
        for batch in batched(missing, _READ_BATCH, strict=False):
            claims = _read_claims(dynamodb, table, batch) if table else {}
            for version in batch:
                self._account(version, claims, letters)

    def check_archive(self, archive: str) -> None:
        """Compare with the archive, but not by ETag: an archive with its own KMS key has other ETags."""
        copies = _list(self._s3, archive, self._prefix)
        if self._prefix:
            copies |= _list(self._s3, archive, MANIFEST_PREFIX + self._prefix)
        lacking = [key for key, (size, _) in self._keys.items() if key not in copies or copies[key][0] != size]
        with ThreadPoolExecutor(_CONCURRENCY) as pool:
            for key, status in zip(lacking, pool.map(self._read_replication, lacking), strict=True):
                if status is None:
                    continue  # cleared away meanwhile
                what = f"{key} (replication {status})" if status else key
                problem = f"another size in the archive: {what}" if key in copies else f"not in the archive: {what}"
                self._judge(problem, self._keys[key][1], is_lag=key not in copies and status != "FAILED")

    def _judge(self, what: str, modified: datetime, *, is_lag: bool) -> None:
        is_pending = is_lag and modified > self._young
        (self.findings.pending if is_pending else self.findings.problems).append(what)

    def _look_at(self, key: str, *, contents: bool) -> tuple[Manifest | None, str]:
        """Return a bundle's manifest if it can be read, and the problem of the bundle."""
        names = [name for name in (name_manifest(key), name_old_manifest(key)) if name in self._keys]
        if not names:
            return None, "bundle without manifest"
        manifest = None
        try:
            manifest = read_manifest(self._s3.get_object(Bucket=self._bucket, Key=names[0])["Body"].read())
            if contents:
                check_bundle(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"], manifest)
        except (VerificationError, ClientError, BotoCoreError) as error:
            return manifest, str(error)
        return manifest, ""

    def _is_gone(self, key: str) -> bool:
        """Return whether a bundle that could not be read has been deleted."""
        try:
            self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            return error.response["Error"]["Code"] in _MISSING
        except BotoCoreError:
            return False
        return False

    def _add(self, bundle: str, manifest: Manifest) -> None:
        findings, totals = self.findings, manifest["totals"]
        findings.bundles += 1
        findings.sources += len(manifest["sources"])
        findings.input_bytes += totals["input_bytes"]
        findings.uncompressed_bytes += totals["uncompressed_bytes"]
        findings.bundle_bytes += totals["bundle_bytes"]
        for entry in manifest["sources"]:
            # By the record's id: without versions, the same bytes put twice are two sources with one ETag.
            self._bundles_of[entry["id"]].append(bundle)
            if entry["version_id"] is None:
                self._unversioned.add((entry["bucket"], entry["key"], entry["etag"] or ""))

    def _list_versions(self, bucket: str, prefix: str) -> Iterator[Version]:
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            for one in page.get("Versions", []):
                version_id = None if one["VersionId"] == "null" else one["VersionId"]
                yield Version(bucket, one["Key"], version_id, one["ETag"].strip('"'), one["LastModified"])

    def _is_bundled(self, version: Version) -> bool:
        if version.version_id:
            return source_id(version.bucket, version.key, version.version_id) in self._bundles_of
        return (version.bucket, version.key, version.etag) in self._unversioned

    def _account(self, version: Version, claims: Mapping[str, Claim], letters: DeadLetters) -> None:
        claim = claims.get(source_id(version.bucket, version.key, version.version_id or ""))
        letter = letters.find(version.bucket, version.key, version.version_id)
        if claim and claim.status == "COMPLETED" and claim.bundle in self._keys:
            self.findings.problems.append(f"not in {claim.bundle}, although the table says so: {version}")
        elif claim and claim.status == "COMPLETED":
            self.findings.cleared += 1
        elif letter is not None:
            self.findings.dead_letters.append(f"{version}: {letter or 'reason not recorded'}")
        elif claim and claim.in_progress_expiration > time.time() * 1000:
            self.findings.pending.append(f"source claimed for {claim.bundle}: {version}")
        elif claim:
            what = f"source in no bundle: {version}: claimed for {claim.bundle} by an invocation that is over"
            self._judge(what, version.modified, is_lag=True)
        else:
            self._judge(f"source in no bundle: {version}", version.modified, is_lag=True)

    def _read_replication(self, key: str) -> str | None:
        """Return a key's replication status, empty if it has none; ``None`` if the key has gone."""
        try:
            return self._s3.head_object(Bucket=self._bucket, Key=key).get("ReplicationStatus", "")
        except ClientError as error:
            return None if error.response["Error"]["Code"] in _MISSING else ""
        except BotoCoreError:
            return ""


def _list(s3: S3Client, bucket: str, prefix: str) -> Listing:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {item["Key"]: (item["Size"], item["LastModified"]) for page in pages for item in page.get("Contents", [])}


def _read_claims(dynamodb: DynamoDBClient, table: str, versions: Sequence[Version]) -> dict[str, Claim]:
    """Return the records of versions; those of objects without versions cannot be found from a listing."""
    ids = {source_id(one.bucket, one.key, one.version_id) for one in versions if one.version_id}
    return {name: Claim.from_item(item) for name, item in read_items(dynamodb, table, ids)}


def read_items(dynamodb: DynamoDBClient, table: str, ids: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the existing items of the table with their ids."""
    for batch in batched(ids, _READ_BATCH, strict=False):
        waiting: Any = {table: {"Keys": [{"id": {"S": name}} for name in batch], "ConsistentRead": True}}
        while waiting:
            answer = dynamodb.batch_get_item(RequestItems=waiting)
            for item in answer["Responses"].get(table, []):
                yield item["id"]["S"], item
            waiting = answer.get("UnprocessedKeys")
