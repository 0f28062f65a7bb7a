"""Checks a downloaded archive against the job's response."""

import argparse
import json
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20


class WrongArchiveError(ValueError):
    """The file is not the job's archive; the message says how it differs."""


def check_archive(archive: Path, job: dict[str, Any], *, test_members: bool) -> int:
    """Compare size, CRC-32 and number of files with a READY response; return the number of files.

    ``test_members`` also reads every member and compares it with its CRC-32.

    Raises:
        WrongArchiveError: something differs.
    """
    size = archive.stat().st_size
    if size != job["sizeBytes"]:
        raise WrongArchiveError(f"{size} bytes were downloaded, the job wrote {job['sizeBytes']}")
    if (crc := f"{_compute_crc32(archive):08x}") != job["crc32"]:
        raise WrongArchiveError(f"the download's CRC-32 is {crc}, the job's {job['crc32']}")
    try:
        with zipfile.ZipFile(archive) as opened:
            files = len(opened.infolist())
            damaged = opened.testzip() if test_members else None
    except zipfile.BadZipFile as error:
        raise WrongArchiveError(str(error)) from error
    if damaged is not None:
        raise WrongArchiveError(f"member {damaged} is damaged")
    if files != job["files"]:
        raise WrongArchiveError(f"the archive has {files} files, the job wrote {job['files']}")
    return files


def _compute_crc32(path: Path) -> int:
    crc = 0
    with path.open("rb") as opened:
        while block := opened.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    return crc


def main() -> int:
    """Run from the command line: ``[--test-members] ARCHIVE ANSWER_FILE``; prints the number of files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--test-members", action="store_true")
    parser.add_argument("archive", type=Path)
    parser.add_argument("answer", type=Path)
    arguments = parser.parse_args()
    job = json.loads(arguments.answer.read_text(encoding="utf-8"))
    try:
        print(check_archive(arguments.archive, job, test_members=arguments.test_members))
    except WrongArchiveError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
