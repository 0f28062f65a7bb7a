"""The dataset download's case: formats, an export, and a truncated response that clients can detect."""

from __future__ import annotations

import gzip
import os
import zlib
from http import HTTPStatus
from http.client import IncompleteRead

import requests
from urllib3.exceptions import HTTPError

from lib.common.clients import make_s3_client
from lib.dataset.count_rows import count_rows
from lib.dataset.fetch import fetch, make_signer
from lib.dataset.sample_datasets import draw_entities, write_parquet
from lib.smoke.cases import Case, delete_versions, expect, list_keys, run_script

_ROWS = 20_000
_EXPORT_ROWS = 400_000  # some 40 MB of CSV: above STREAM_LIMIT_MB
_STREAM_ROWS = 150_000  # some 15 MB: streamed
_FIRST_BYTES = 65_536


def check_dataset(case: Case) -> None:
    """Download a dataset in every format, a large one as an export, and one that is replaced during the download."""
    for suffix, rows in (("", _ROWS), ("-large", _EXPORT_ROWS), ("-cut", _STREAM_ROWS)):
        put_dataset(case, case.name + suffix, rows, seed=1)
    for ending in ("csv", "json", "jsonl", "parquet"):
        file = f"{case.name}.{ending}"
        run_script("bash", "download_dataset.sh", "--output", str(case.folder), file)
        found = count_rows(case.folder / file)
        expect(found == _ROWS, f"{file} has {found} rows of {_ROWS}")
    case.say(f"{_ROWS} rows in four formats")
    check_export(case)
    check_cut(case)


def put_dataset(case: Case, name: str, rows: int, *, seed: int) -> None:
    """Put a dataset that is removed at the end."""
    bucket = os.environ["DATASET_BUCKET"]
    key = f"{os.environ.get('DATASET_PREFIX', '')}{name}.parquet"
    case.later(f"dataset {name}", lambda: delete_versions(bucket, key))
    ((_, table),) = draw_entities(rows, seed)
    make_s3_client().put_object(Bucket=bucket, Key=key, Body=write_parquet(table))


def check_export(case: Case) -> None:
    """Download a result that is too large for a response; the function redirects to the export."""
    file, bucket = f"{case.name}-large.csv", os.environ.get("DATASET_EXPORT_BUCKET")
    if not bucket:
        case.say("exports are off")
        return
    case.later("exports", lambda: delete_exports(bucket, case.name))
    # The function itself: the offline stack's own server streams what it would export.
    run_script("bash", "download_dataset.sh", "--output", str(case.folder), file, DATASET_STREAM_URL="")
    found = count_rows(case.folder / file)
    expect(found == _EXPORT_ROWS, f"{file} has {found} rows of {_EXPORT_ROWS}")
    expect(any(case.name in key for key in list_keys(bucket)), f"{file} came, but not by an export")
    case.say(f"{_EXPORT_ROWS} rows by an export")


def delete_exports(bucket: str, name: str) -> None:
    """Delete the exports of a dataset; their status objects expire."""
    for key in list_keys(bucket):
        if name in key:
            delete_versions(bucket, key)


def check_cut(case: Case) -> None:
    """Replace a dataset while it is streamed: the response must end without its gzip trailer, or with an error."""
    name = f"{case.name}-cut"
    with ask(f"{name}.csv") as answer:
        expect(answer.status_code == HTTPStatus.OK, f"{name}.csv answers {answer.status_code}")
        coding = answer.headers.get("content-encoding")
        expect(coding == "gzip", f"a streamed answer has the content coding {coding}: a cut could not be seen")
        body = answer.raw.read(_FIRST_BYTES, decode_content=False)
        put_dataset(case, name, _STREAM_ROWS, seed=2)
        try:
            body += answer.raw.read(decode_content=False)
            rows = gzip.decompress(body).count(b"\n") - 1
        except (HTTPError, IncompleteRead, OSError, EOFError, zlib.error) as error:
            case.say(f"an answer that broke off is seen to be none ({type(error).__name__})")
            return
    expect(rows == _STREAM_ROWS, f"a cut answer of {rows} rows looks whole")
    case.say("a streamed answer is whole; it was read before it could be cut, which shows nothing of cuts")


def ask(path: str) -> requests.Response:
    """Request a file with gzip, signed if the URL is a Lambda function URL; the body is not read yet."""
    base = os.environ.get("DATASET_STREAM_URL") or os.environ["DATASET_URL"]
    return fetch(f"{base}/{path}", {"Accept-Encoding": "gzip"}, make_signer(base))
