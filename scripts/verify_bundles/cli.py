"""Command line that checks bundles against their manifests and cuts sources back out of them.

``python -m verify_bundles bundle s3://BUCKET/KEY.gz``
``python -m verify_bundles cut s3://BUCKET/KEY.gz SOURCE_KEY > file``
``python -m verify_bundles bucket BUCKET --sources SOURCE_BUCKET --archive ARCHIVE_BUCKET --contents``
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from data_aggregator.bundle.manifest import name_manifest, name_old_manifest, read_manifest
from data_aggregator.exceptions import VerificationError
from data_aggregator.intake.reasons import REASON_PREFIX
from data_aggregator.schemas import Manifest, ManifestSource
from verify_bundles.bucket_checks import BucketCheck, read_items
from verify_bundles.bundle_checks import check_bundle, cut_source
from verify_bundles.dead_letters import DeadLetters, index_messages, read_messages

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status, 0 if no problem was found, else 1."""
    chosen = _read_arguments(arguments)
    is_emulated = "AWS_ENDPOINT_URL" in os.environ or "AWS_ENDPOINT_URL_S3" in os.environ
    s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path" if is_emulated else "auto"}))
    try:
        if chosen.command == "bucket":
            return _verify_bucket(s3, chosen)
        bucket, key = _split_url(chosen.bundle)
        manifest = _read_manifest(s3, bucket, key)
        if chosen.command == "cut":
            entry = find_source(manifest, chosen.source_key, chosen.version_id)
            return _cut(s3, bucket, key, entry, chosen.output)
        check_bundle(s3.get_object(Bucket=bucket, Key=key)["Body"], manifest)
        print(json.dumps(manifest["totals"]))  # a command's output
    except BrokenPipeError:
        # Without this, the interpreter would try to flush the closed output again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("verify: the output was closed before all was written", file=sys.stderr)
        return 1
    except (VerificationError, ClientError, BotoCoreError, OSError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 1
    return 0


def find_source(manifest: Manifest, key: str, version_id: str | None) -> ManifestSource:
    """Return the only source with this key, and this version if one is given.

    Raises:
        VerificationError: there is none, or there are several.
    """
    found = [
        entry for entry in manifest["sources"] if entry["key"] == key and version_id in {None, entry["version_id"]}
    ]
    if len(found) == 1:
        return found[0]
    versions = ", ".join(str(entry["version_id"]) for entry in found)
    raise VerificationError(
        f"the bundle holds several versions of {key!r}: {versions}" if found else f"the bundle does not hold {key!r}"
    )


def _verify_bucket(s3: S3Client, chosen: argparse.Namespace) -> int:
    check = BucketCheck(s3, chosen.bucket, chosen.prefix, chosen.grace_minutes * 60)
    check.check_bundles(contents=chosen.contents)
    if chosen.sources:
        dynamodb = boto3.client("dynamodb")
        letters = _read_letters(dynamodb, chosen.table, chosen.dlq) if chosen.dlq else DeadLetters()
        check.check_sources(chosen.sources, chosen.source_prefix, dynamodb, chosen.table, letters)
    if chosen.archive:
        check.check_archive(chosen.archive)
    print(json.dumps(asdict(check.findings), indent=2))
    return 1 if check.findings.problems else 0


def _read_letters(dynamodb: DynamoDBClient, table: str | None, queue_url: str) -> DeadLetters:
    messages = read_messages(boto3.client("sqs"), queue_url)
    if not table:
        return DeadLetters(index_messages(messages))
    items = read_items(dynamodb, table, {REASON_PREFIX + message["MessageId"] for message in messages})
    reasons = {name.removeprefix(REASON_PREFIX): item["reason"]["S"] for name, item in items}
    return DeadLetters(index_messages(messages), reasons)


def _read_manifest(s3: S3Client, bucket: str, bundle: str) -> Manifest:
    try:
        answer = s3.get_object(Bucket=bucket, Key=name_manifest(bundle))
    except s3.exceptions.NoSuchKey:
        answer = s3.get_object(Bucket=bucket, Key=name_old_manifest(bundle))
    return read_manifest(answer["Body"].read())


def _cut(s3: S3Client, bucket: str, key: str, entry: ManifestSource, output: Path | None) -> int:
    """Write a source to a file or to standard output, after all of it has been read and compared."""
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    with tempfile.TemporaryFile() as file:
        file.writelines(cut_source(body, entry))
        file.seek(0)
        if output is None:
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        elif output.exists() and not output.is_file():  # a device or a pipe is written to, never replaced
            with output.open("wb") as device:
                shutil.copyfileobj(file, device)
        else:
            _place(file, output.resolve())
    return 0


def _place(file: IO[bytes], output: Path) -> None:
    """Replace the file at ``output`` atomically."""
    with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as beside:
        try:
            shutil.copyfileobj(file, beside)
            beside.close()
            Path(beside.name).chmod(0o666 & ~_read_umask())
            Path(beside.name).replace(output)
        except BaseException:
            Path(beside.name).unlink(missing_ok=True)
            raise


def _read_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _split_url(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket or not key:
        raise VerificationError(f"{url!r} is not s3://BUCKET/KEY")
    return bucket, key


def _read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m verify_bundles", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    bundle = commands.add_parser("bundle", help="compare one bundle with its manifest, byte by byte")
    bundle.add_argument("bundle", help="s3://BUCKET/KEY.gz")
    cut = commands.add_parser("cut", help="cut one source back out of a bundle")
    cut.add_argument("bundle", help="s3://BUCKET/KEY.gz")
    cut.add_argument("source_key")
    cut.add_argument("--version-id", help="which version, if the bundle holds several")
    cut.add_argument("--output", type=Path, help="file to write (default: standard output)")
    whole = commands.add_parser("bucket", help="check that each source is in exactly one bundle")
    whole.add_argument("bucket", help="the distribution bucket")
    whole.add_argument("--prefix", default="", help="only bundles whose keys begin with this, such as 2026/11/21/")
    whole.add_argument("--sources", help="source bucket: each version of each of its objects has to be in a bundle")
    whole.add_argument("--source-prefix", default="", help="only sources whose keys begin with this")
    whole.add_argument("--table", help="idempotency table: tells what was bundled and cleared away")
    whole.add_argument("--dlq", help="URL of the dead-letter queue: tells what was given up, and why")
    whole.add_argument("--archive", help="archive bucket: has to hold a copy of everything")
    whole.add_argument("--contents", action="store_true", help="read the bundles too, not only the manifests")
    whole.add_argument(
        "--grace-minutes",
        type=float,
        default=15,
        help="what is younger may still lack a bundle, a manifest or a copy (default: 15)",
    )
    return parser.parse_args(arguments)
