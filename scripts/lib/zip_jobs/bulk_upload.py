"""Uploads files and folders to the source bucket concurrently."""

from __future__ import annotations

import argparse
import mimetypes
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from lib.common.clients import make_s3_client
from lib.common.demo_notes import note
from lib.common.units import describe_bytes, describe_rate

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRIES = 3
_PAUSE_SECONDS = 1.0
_FAILURES_SHOWN = 20
_CLASHES_SHOWN = 5
# Controls and noncharacters make a bucket's listing, which is XML 1.0, unreadable.
_NOT_IN_KEY = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
# The pool is parallel enough; a second level of threads per file would multiply --parallel.
_TRANSFER = TransferConfig(use_threads=False)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file and the key that it gets."""

    path: Path
    key: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be uploaded, and why."""

    upload: Upload
    reason: str


class KeyClashError(ValueError):
    """Several files map to the same key."""


def plan_uploads(paths: Sequence[Path], prefix: str) -> list[Upload]:
    """Return what to upload: files under their names, folders' files under their paths inside the folder.

    Hidden files and folders are left out.

    Raises:
        FileNotFoundError: one of the paths does not exist.
        KeyClashError: two files map to the same key, so one would replace the other.
    """
    uploads: list[Upload] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        files = _walk(path) if path.is_dir() else [(path, path.name)]
        uploads += [Upload(file, prefix + name, file.stat().st_size) for file, name in files]
    return _check_keys(uploads)


def _check_keys(uploads: Sequence[Upload]) -> list[Upload]:
    """Return the uploads without duplicates of the same file."""
    by_key: dict[str, Upload] = {}
    clashes: list[str] = []
    for upload in uploads:
        first = by_key.setdefault(upload.key, upload)
        if not first.path.samefile(upload.path):
            clashes.append(f"  {first.path} and {upload.path} would both become {upload.key!r}")
    if clashes:
        more = [f"  and {len(clashes) - _CLASHES_SHOWN} more"] if len(clashes) > _CLASHES_SHOWN else []
        advice = "nothing was uploaded; rename one, upload them under different --prefix, or upload their folder"
        raise KeyClashError("\n".join([f"files of one key ({advice}):", *clashes[:_CLASHES_SHOWN], *more]))
    return list(by_key.values())


def find_key_fault(key: str) -> str:
    """Return the reason why ``key`` is not usable, or an empty string."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8, as keys are; rename it"
    if _NOT_IN_KEY.search(key):
        return "its name has a control character, which would make the bucket's listing unreadable; rename it"
    return ""


def upload_all(
    s3: S3Client, bucket: str, uploads: Sequence[Upload], *, parallel: int, batch: int, progress: Progress
) -> list[Failure]:
    """Upload all files and return those that failed on every attempt.

    Files go in batches; failed files are retried at the end of their batch.
    """
    task = progress.add_task("Uploading", total=sum(upload.size for upload in uploads), files="")
    done = 0
    failures: list[Failure] = []

    failures += [Failure(upload, fault) for upload in uploads if (fault := find_key_fault(upload.key))]
    possible = [upload for upload in uploads if not find_key_fault(upload.key)]

    def attempt(upload: Upload) -> Failure | None:
        failure = upload_one(s3, bucket, upload)
        if failure is None:
            progress.advance(task, upload.size)
        return failure

    with ThreadPoolExecutor(parallel) as pool:
        for group in batched(possible, batch, strict=False):
            left = [failure for failure in pool.map(attempt, group) if failure]
            for again in range(1, _TRIES):
                if left:
                    time.sleep(_PAUSE_SECONDS * again)
                    left = [failure for failure in pool.map(attempt, [one.upload for one in left]) if failure]
            failures += left
            done += len(group) - len(left)
            progress.update(task, files=f"{done}/{len(uploads)} files")
    return failures


def upload_one(s3: S3Client, bucket: str, upload: Upload) -> Failure | None:
    """Upload one file; return the failure, if any."""
    kind = mimetypes.guess_type(upload.path.name)[0] or "application/octet-stream"
    try:
        s3.upload_file(str(upload.path), bucket, upload.key, ExtraArgs={"ContentType": kind}, Config=_TRANSFER)
    except (Boto3Error, BotoCoreError, ClientError, OSError, UnicodeError) as error:
        return Failure(upload, str(error))
    return None


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield path, relative.as_posix()


def _make_progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[files]}"))
    return Progress(
        *columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _prefix(text: str) -> str:
    if any(segment in {".", ".."} for segment in text.split("/")) or find_key_fault(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} has a control character, or . or .. between slashes, which clients would resolve"
        )
    return text


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bulk_upload.sh")
    parser.add_argument("--prefix", type=_prefix, default="uploads/")
    parser.add_argument("--parallel", type=_positive, default=10)
    parser.add_argument("--batch", type=_positive, default=50)
    parser.add_argument("paths", type=Path, nargs="+")
    return parser.parse_args()


def main() -> int:
    """Run from the command line; the exit status is 1 if anything was not uploaded."""
    arguments = _parse_arguments()
    bucket = os.environ["SRC_BUCKET"]
    try:
        uploads = plan_uploads(arguments.paths, arguments.prefix)
    except (OSError, KeyClashError) as error:
        print(error, file=sys.stderr)
        return 1
    if not uploads:
        print(f"nothing to upload in {', '.join(map(str, arguments.paths))}", file=sys.stderr)
        return 1
    started = time.monotonic()
    s3 = make_s3_client(arguments.parallel)
    with _make_progress(Console()) as progress:
        failures = upload_all(
            s3, bucket, uploads, parallel=arguments.parallel, batch=arguments.batch, progress=progress
        )
    return _report(bucket, arguments.prefix, uploads, failures, time.monotonic() - started)


def _report(bucket: str, prefix: str, uploads: list[Upload], failures: list[Failure], seconds: float) -> int:
    size = sum(upload.size for upload in uploads) - sum(failure.upload.size for failure in failures)
    said = (
        f"{len(uploads) - len(failures)} files, {describe_bytes(size)}, to s3://{bucket}/{prefix} "
        f"({seconds:.1f} s, {describe_rate(size, seconds)})"
    )
    print(said)
    note("fact", "Uploaded", said)
    if not failures:
        return 0
    print(f"{len(failures)} of {len(uploads)} files were not uploaded:", file=sys.stderr)
    for failure in failures[:_FAILURES_SHOWN]:
        print(f"  {failure.upload.path}: {failure.reason}", file=sys.stderr)
    if len(failures) > _FAILURES_SHOWN:
        print(f"  and {len(failures) - _FAILURES_SHOWN} more", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
