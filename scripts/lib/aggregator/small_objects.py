"""Puts many small objects into a bucket, as devices or web clients would."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import track

from lib.common.clients import make_s3_client
from lib.common.demo_notes import note
from lib.common.units import describe_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LINES = (20, 120)
_PATHS = ("/", "/search", "/item/{}", "/cart", "/checkout", "/account/orders/{}")
_FIRST_SECOND = 1_790_000_000


def draw_object(seed: int, number: int) -> bytes:
    """Return object ``number``: a few KB of JSON lines, the same ones for the same seed."""
    return "".join(_draw_lines(random.Random(f"{seed}/{number}"), number)).encode()  # noqa: S311


def put_objects(s3: S3Client, bucket: str, prefix: str, count: int, *, seed: int, parallel: int) -> int:
    """Put ``count`` objects concurrently; return their total size in bytes. A terminal shows a progress bar."""

    def put(number: int) -> int:
        body = draw_object(seed, number)
        s3.put_object(Bucket=bucket, Key=f"{prefix}{number:06d}.jsonl", Body=body, ContentType="application/jsonl")
        return len(body)

    with ThreadPoolExecutor(parallel) as pool:
        sizes = pool.map(put, range(count))
        return sum(track(sizes, "Uploading", total=count, transient=True, disable=not sys.stdout.isatty()))


def _draw_lines(dice: random.Random, number: int) -> Iterator[str]:
    session = f"{dice.getrandbits(64):016x}"
    moment = _FIRST_SECOND + number * 60
    for _ in range(dice.randint(*_LINES)):
        moment += int(dice.random() * 30)
        clock = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        path = _PATHS[int(dice.random() * len(_PATHS))].format(int(dice.random() * 10_000))
        taken = 3 + int(dice.random() * 900)
        yield f'{{"session": "{session}", "time": "{clock}", "path": "{path}", "milliseconds": {taken}}}\n'


def main() -> int:
    """Run from the command line: ``BUCKET PREFIX COUNT``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bucket")
    parser.add_argument("prefix")
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=20)
    chosen = parser.parse_args()
    started = time.monotonic()
    s3 = make_s3_client(chosen.parallel)
    try:
        size = put_objects(s3, chosen.bucket, chosen.prefix, chosen.count, seed=chosen.seed, parallel=chosen.parallel)
    except (ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    said = f"{chosen.count} objects, {describe_bytes(size)}, to s3://{chosen.bucket}/{chosen.prefix} ({seconds:.1f} s)"
    print(said)
    note("fact", "Uploaded", said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
