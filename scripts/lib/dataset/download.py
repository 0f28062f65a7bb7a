"""Downloads a dataset to a file, which appears once complete: ``BASE FILE QUERY TARGET``; see download_dataset.sh."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests
from botocore.exceptions import BotoCoreError

from lib.common.demo_notes import note
from lib.dataset.count_rows import count_rows
from lib.dataset.fetch import FetchError, Signer, fetch, make_signer

_CHUNK = 1024 * 1024
_SHOWN = 500


class DownloadError(RuntimeError):
    """The download failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Download:
    """The size and the timing of a download; times are seconds since the request."""

    size: int
    first_byte: float
    all_bytes: float


def download(url: str, target: Path, signer: Signer | None) -> Download:
    """Write the response of a URL to a file.

    Raises:
        DownloadError: no response, a status other than 200, or a truncated body; the file is unchanged.
    """
    started = time.monotonic()
    part = target.with_name(f"{target.name}.part")
    try:
        with fetch(url, {"Accept-Encoding": "identity"}, signer) as answer, part.open("wb") as file:
            first_byte = time.monotonic() - started
            if answer.status_code != HTTPStatus.OK:
                raise DownloadError(f"{url} answers {answer.status_code}: {answer.text[:_SHOWN]}")
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
            size = file.tell()
        part.replace(target)
    except (requests.RequestException, FetchError, OSError) as error:
        # Redirect URLs contain signatures, so the text of some errors must not be shown.
        said = f": {error}" if isinstance(error, FetchError | PermissionError | FileNotFoundError) else ""
        raise DownloadError(f"the download of {url} broke ({type(error).__name__}{said})") from None
    finally:
        part.unlink(missing_ok=True)
    return Download(size, first_byte, time.monotonic() - started)


def main() -> int:
    """Run from the command line; the exit status is 1 if the download failed."""
    base, file, query, folder = sys.argv[1:]
    target = Path(folder) / file
    try:
        came = download(f"{base}/{file}" + (f"?{query}" if query else ""), target, make_signer(base))
        rows = count_rows(target)
    except (DownloadError, FetchError, BotoCoreError) as error:
        print(f"download_dataset.sh: {error}", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001  # each format's reader has errors of its own
        print(f"download_dataset.sh: {target} cannot be read: {error}", file=sys.stderr)
        return 1
    said = f"{rows} rows, {came.size} bytes, first byte after {came.first_byte:.2f} s, all in {came.all_bytes:.2f} s"
    print(f"   {file + (' (slice)' if query else ''):<22} {said}")
    note("fact", file + (f" ({query})" if query else ""), said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
