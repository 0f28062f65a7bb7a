"""Writes sample PDFs to a folder."""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from os import process_cpu_count
from pathlib import Path

from rich.progress import track

from lib.common.demo_notes import note
from lib.common.units import describe_bytes
from lib.zip_jobs.pdf_documents import draw_document, name_document

_WORTH_PROCESSES = 100
"""Fewer documents than this are drawn sooner than other processes start."""


def generate_pdfs(count: int, folder: Path, seed: int) -> int:
    """Write documents 1 to ``count`` and return their size in bytes; a progress bar shows on a terminal.

    Documents are determined by seed and number, so a second run writes the same bytes again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    processes = min(process_cpu_count() or 1, 4) if count >= _WORTH_PROCESSES else 1
    numbers = range(1, count + 1)
    if processes == 1:
        return _add_up(map(write_document, repeat(seed), numbers, repeat(folder)), count)
    with ProcessPoolExecutor(processes) as pool:
        return _add_up(pool.map(write_document, repeat(seed), numbers, repeat(folder), chunksize=10), count)


def write_document(seed: int, number: int, folder: Path) -> int:
    """Write one document atomically; return its size in bytes."""
    content = draw_document(seed, number)
    path = folder / name_document(number)
    unfinished = path.with_suffix(".part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    return len(content)


def _add_up(sizes: Iterator[int], count: int) -> int:
    return sum(track(sizes, "Drawing PDFs", total=count, transient=True, disable=not sys.stdout.isatty()))


def main() -> int:
    """Run from the command line: ``COUNT FOLDER --seed N``."""
    parser = argparse.ArgumentParser(prog="generate_pdfs.sh")
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error("the number of PDFs must be at least 1")
    started = time.monotonic()
    try:
        size = generate_pdfs(arguments.count, arguments.folder, arguments.seed)
    except OSError as error:
        where = error.filename or arguments.folder
        print(f"generate_pdfs.sh: cannot write to {where}: {error.strerror or error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    said = f"{arguments.count} PDFs, {describe_bytes(size)}, in {arguments.folder} ({seconds:.1f} s)"
    print(said)
    note("fact", "Generated", said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
