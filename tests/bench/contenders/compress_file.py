"""Compresses a file as the aggregator or as Python's standard library does.

Usage: `python -m tests.bench.contenders.compress_file bundle|stdlib FILE OUT RESULT`.
RESULT gets the seconds as JSON. The file is in memory before the clock starts: the bench compares the compression,
with the aggregator's additional work (digest, offsets).
"""

import gzip
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from data_aggregator.core import BundleWriter

_CHUNK_BYTES = 1024 * 1024
_ARGUMENTS = 5
_LEVEL = 1
_REFERENCE_LEVEL = 6


def compress_as_bundle(chunks: Sequence[bytes], target: Path) -> None:
    """Compress as the aggregator does, with its default level."""
    with target.open("w+b") as file:
        writer = BundleWriter(file, level=_LEVEL, limit=sys.maxsize, check=lambda: None)
        writer.add(chunks)
        writer.finish()


def compress_by_stdlib(chunks: Sequence[bytes], target: Path) -> None:
    """Compress by Python's gzip, level 6."""
    with target.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_REFERENCE_LEVEL) as packed:
        for chunk in chunks:
            packed.write(chunk)


METHODS: dict[str, Callable[[Sequence[bytes], Path], None]] = {
    "bundle": compress_as_bundle,
    "stdlib": compress_by_stdlib,
}


def main() -> int:
    """Run; returns the exit status."""
    if len(sys.argv) != _ARGUMENTS or sys.argv[1] not in METHODS:
        print(
            f"usage: python -m tests.bench.contenders.compress_file {'|'.join(METHODS)} FILE OUT RESULT",
            file=sys.stderr,
        )
        return 2
    method, source, target, result = sys.argv[1], *map(Path, sys.argv[2:])
    with source.open("rb") as file:
        chunks = list(iter(partial(file.read, _CHUNK_BYTES), b""))
    started = time.perf_counter()
    METHODS[method](chunks, target)
    result.write_text(json.dumps({"seconds": time.perf_counter() - started}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
