"""Waits until each object under a prefix is in one bundle and in the archive, then prints the totals."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from lib.aggregator.manifests import name_manifest, read_manifest
from lib.common.clients import make_s3_client
from lib.common.demo_notes import note
from lib.common.units import describe_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PAUSE_SECONDS = 0.4

type Version = tuple[str, str, str]
"""Bucket, key and version id."""


class NotBundledError(RuntimeError):
    """An object is in no bundle after the timeout, or in two; the message says which."""


@dataclass
class Bundled:
    """The bundles that hold the expected objects."""

    counts: Counter[Version] = field(default_factory=Counter)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the bundle's key; only of bundles that hold some of the objects."""
    seen: set[str] = field(default_factory=set)


def list_versions(s3: S3Client, bucket: str, prefix: str) -> set[Version]:
    """Return every version of every object under a prefix."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    return {(bucket, version["Key"], version["VersionId"]) for page in pages for version in page.get("Versions", [])}


def read_new_bundles(s3: S3Client, bucket: str, wanted: set[Version], bundled: Bundled) -> None:
    """Read the manifests of bundles that are new since the last call."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = {item["Key"] for page in pages for item in page.get("Contents", [])}
    for key in sorted(key for key in keys if key.endswith(".gz") and key not in bundled.seen):
        manifest = read_manifest(s3, bucket, key)
        bundled.seen.add(key)
        held = [(entry["bucket"], entry["key"], entry["version_id"]) for entry in manifest["sources"]]
        ours = [version for version in held if version in wanted]
        if ours:
            bundled.counts.update(ours)
            bundled.manifests[key] = manifest


def wait_for_bundles(
    s3: S3Client, distribution: str, wanted: set[Version], seconds: float, progress: Progress
) -> Bundled:
    """Wait until each version is in a bundle.

    Raises:
        NotBundledError: after ``seconds`` some versions are in no bundle, or some are in two.
    """
    bundled = Bundled()
    task = progress.add_task("Bundling", total=len(wanted), found="")
    deadline = time.monotonic() + seconds
    while True:
        read_new_bundles(s3, distribution, wanted, bundled)
        found = f"{len(bundled.counts)}/{len(wanted)} objects in {len(bundled.manifests)} bundles"
        progress.update(task, completed=len(bundled.counts), found=found)
        if twice := [version for version, count in bundled.counts.items() if count > 1]:
            raise NotBundledError(f"{len(twice)} objects are in more than one bundle, such as {twice[0]}")
        if len(bundled.counts) == len(wanted):
            return bundled
        if time.monotonic() > deadline:
            raise NotBundledError(f"after {seconds:.0f} s only {found}")
        time.sleep(_PAUSE_SECONDS)


def wait_for_copies(s3: S3Client, archive: str, keys: set[str], seconds: float, progress: Progress) -> None:
    """Wait until the archive has every bundle and its manifest.

    Raises:
        NotBundledError: some are missing after ``seconds``.
    """
    wanted = keys | set(map(name_manifest, keys))
    task = progress.add_task("Archiving", total=len(wanted), found="")
    deadline = time.monotonic() + seconds
    while True:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=archive)
        missing = wanted - {item["Key"] for page in pages for item in page.get("Contents", [])}
        found = f"{len(wanted) - len(missing)}/{len(wanted)} copies"
        progress.update(task, completed=len(wanted) - len(missing), found=found)
        if not missing:
            return
        if time.monotonic() > deadline:
            raise NotBundledError(f"after {seconds:.0f} s only {found} are in the archive")
        time.sleep(_PAUSE_SECONDS)


def report(bundled: Bundled, distribution: str, archive: str) -> None:
    """Print the totals and note them for the demo."""
    totals: Counter[str] = Counter()
    for manifest in bundled.manifests.values():
        totals.update(manifest["totals"])
    ratio = totals["uncompressed_bytes"] / max(1, totals["bundle_bytes"])
    first = min(bundled.manifests)
    facts = [
        ("Bundles", f"{len(bundled.manifests)} in s3://{distribution}/"),
        ("Proof", f"each of {len(bundled.counts)} versions is in exactly one bundle, by the manifests"),
        ("Size", f"{describe_bytes(totals['uncompressed_bytes'])} in {describe_bytes(totals['bundle_bytes'])}"),
        ("Compression", f"{ratio:.2f} : 1"),
        ("Archive", f"s3://{archive}/ has a copy of each bundle and manifest"),
        ("A bundle", f"s3://{distribution}/{first}"),
    ]
    for label, value in facts:
        print(f"{label + ':':<14}{value}")
        note("fact", label, value)


def main() -> int:
    """Run from the command line; the exit status is 1 unless each object is in one bundle."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("prefix")
    parser.add_argument("distribution")
    parser.add_argument("archive")
    parser.add_argument("--timeout", type=float, default=120)
    chosen = parser.parse_args()
    s3 = make_s3_client()
    console = Console()
    columns = (TextColumn("{task.description:<9}"), BarColumn(), TextColumn("{task.fields[found]}"))
    try:
        wanted = list_versions(s3, chosen.source, chosen.prefix)
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            bundled = wait_for_bundles(s3, chosen.distribution, wanted, chosen.timeout, progress)
            wait_for_copies(s3, chosen.archive, set(bundled.manifests), chosen.timeout, progress)
    except (NotBundledError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    report(bundled, chosen.distribution, chosen.archive)
    return 0


if __name__ == "__main__":
    sys.exit(main())
