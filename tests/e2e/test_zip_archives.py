"""A job's archive holds the objects' names and bytes, whichever tool opens it."""

import random
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.e2e.archives import READERS, Contents, hash_bytes, read_with_python
from tests.e2e.stack import Stack

SOURCES = {
    "docs/one.pdf": b"%PDF-1.7 one" * 100,
    "docs/sub/two with space.pdf": random.Random(2).randbytes(300_000),
    "docs/sub/größe + 100 % 文書 🙂.pdf": b"unicode",
    "docs/empty.txt": b"",
    "docs/over-one-part.bin": random.Random(5).randbytes(9 * 1024 * 1024),
}


@pytest.fixture
def keys(stack: Stack, prefix: str) -> list[str]:
    return stack.put_objects({prefix + name: content for name, content in SOURCES.items()})


def expect(strip: str) -> Contents:
    return {name.removeprefix(strip): hash_bytes(content) for name, content in SOURCES.items()}


@pytest.mark.parametrize("compression", ["stored", "deflated"])
@pytest.mark.parametrize("read", READERS)
def test_every_tool_reads_names_and_bytes(
    stack: Stack,
    prefix: str,
    keys: list[str],
    tmp_path: Path,
    read: Callable[[Path, Path], Contents],
    compression: str,
) -> None:
    job = stack.finish_job(keys=keys, paths="relative", compression=compression)
    (tmp_path / "extracted").mkdir()

    archive = stack.download(job, tmp_path / "archive.zip")

    assert read(archive, tmp_path / "extracted") == expect("docs/")


@pytest.mark.parametrize(
    ("paths", "strip"),
    [("basename", None), ("relative", "docs/"), ("full", "")],
)
@pytest.mark.parametrize("given", ["keys", "prefix", "manifestKey", "all"])
def test_every_way_of_naming_the_objects(
    stack: Stack, prefix: str, keys: list[str], tmp_path: Path, given: str, paths: str, strip: str | None
) -> None:
    manifest = f"{prefix}lists/manifest.txt"
    stack.put_objects({manifest: "\n".join(keys[:3]).encode()})
    bodies: dict[str, dict[str, Any]] = {
        "keys": {"keys": keys},
        "prefix": {"prefix": f"{prefix}docs/"},
        "manifestKey": {"manifestKey": manifest},
        "all": {"keys": keys[:1], "manifestKey": manifest, "prefix": f"{prefix}docs/"},
    }
    if given == "manifestKey":
        stack.put_objects({manifest: "\n".join(keys).encode() + b"\n"})

    job = stack.finish_job(**bodies[given], paths=paths)

    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)
    if given == "all":  # an object that is named twice is in the archive twice
        assert job["files"] == len(contents) == len(keys) + 1
        assert set(contents.values()) == set(expect("").values())
    elif paths == "basename":
        assert contents == {name.rpartition("/")[2]: digest for name, digest in expect("").items()}
    elif paths == "relative":
        assert contents == expect(strip or "")
    else:
        assert contents == {prefix + name: digest for name, digest in expect("").items()}


def test_ready_answer_tells_the_truth(stack: Stack, keys: list[str], tmp_path: Path) -> None:
    before = datetime.now(UTC)
    job_id = stack.create_job(keys=keys, archiveName="my archive", targetPrefix="zips/e2e/", presignTtlSeconds=3600)

    job = stack.wait_for_end(job_id)

    archive = stack.download(job, tmp_path / "archive.zip")
    head = stack.s3.head_object(Bucket=job["targetBucket"], Key=job["targetKey"])
    assert job["status"] == "READY"
    assert job["jobId"] == job_id
    assert job["targetBucket"] == stack.target
    assert job["targetKey"] == f"zips/e2e/{job_id}/my archive.zip"
    assert job["sizeBytes"] == archive.stat().st_size == head["ContentLength"]
    assert job["etag"] == head["ETag"].strip('"')
    assert int(job["crc32"], 16) == _crc32(archive)
    assert job["files"] == len(keys)
    assert (job["skipped"], job["skippedKeys"]) == (0, [])
    expires = datetime.fromisoformat(job["expiresAt"])
    assert before < expires <= datetime.now(UTC) + timedelta(seconds=3600)
    assert datetime.fromisoformat(job["createdAt"]) <= datetime.fromisoformat(job["completedAt"])


def test_download_is_offered_under_the_archives_name(stack: Stack, keys: list[str]) -> None:
    job = stack.finish_job(keys=keys[:1], archiveName="Jahresbericht 2026 ü.zip")

    if stack.is_local:  # MiniStack forgets the header for a URL that names a version
        (disposition,) = parse_qs(urlsplit(job["downloadUrl"]).query)["response-content-disposition"]
    else:
        disposition = requests.get(job["downloadUrl"], timeout=60).headers["Content-Disposition"]

    assert disposition.startswith("attachment;")
    assert "filename*=UTF-8''Jahresbericht%202026%20%C3%BC.zip" in disposition


def test_signed_url_is_new_at_each_look(stack: Stack, keys: list[str]) -> None:
    job = stack.finish_job(keys=keys[:1])

    again = stack.get_job(job["jobId"])

    assert "X-Amz-Signature=" in again["downloadUrl"]
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in again["downloadUrl"]
    assert again["expiresAt"] >= job["expiresAt"]


def test_members_keep_the_objects_times(stack: Stack, keys: list[str], tmp_path: Path) -> None:
    job = stack.finish_job(keys=keys)
    modified = stack.s3.head_object(Bucket=stack.source, Key=keys[0])["LastModified"]

    with zipfile.ZipFile(stack.download(job, tmp_path / "archive.zip")) as archive:
        year, month, day, *_ = archive.infolist()[0].date_time

    # DOS times have no zone; a day each way allows for any.
    assert abs(datetime(year, month, day, tzinfo=UTC) - modified) < timedelta(days=2)


def test_ten_thousand_tiny_members_by_one_request(stack: Stack, prefix: str, tmp_path: Path) -> None:
    """Each object is named five times: putting 10,000 would be most of the test's time."""
    objects = {f"{prefix}tiny/{number:05d}.txt": f"object {number}".encode() for number in range(2_000)}
    keys = stack.put_objects(objects)

    job = stack.finish_job(keys=keys * 5)

    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)
    assert job["files"] == 10_000
    assert contents == {
        f"{number:05d}{again}.txt": hash_bytes(f"object {number}".encode())
        for number in range(2_000)
        for again in ("", " (2)", " (3)", " (4)", " (5)")
    }


def _crc32(path: Path) -> int:
    return zlib.crc32(path.read_bytes())
