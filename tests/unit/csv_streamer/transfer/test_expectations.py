"""What a file is expected to be is checked before anything of it can be seen."""

import gzip
import hashlib
import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_streamer.exceptions import FileError
from csv_streamer.s3 import copier as copies
from csv_streamer.schemas import Expectation
from csv_streamer.transfer.content import Content
from csv_streamer.transfer.digests import Digest
from sample_files import expected_sha256
from tests.unit.csv_streamer.conftest import BUCKET, PART, Streamer
from tests.unit.csv_streamer.ranged_server import RangedServer, ranged_server

LARGE, SMALL = f"/files/units.csv?bytes={6 * PART}", "/files/units.csv?bytes=1000"


@settings(deadline=None)
@given(st.sampled_from(["sha256", "md5"]), st.lists(st.binary(max_size=300), max_size=6))
def test_digest_that_goes_on_elsewhere_is_that_of_all_bytes(name: str, pieces: list[bytes]) -> None:
    digest = Digest(name)
    for piece in pieces:
        digest.update(bytearray(piece))
        digest.hexdigest()
        state = digest.save()
        assert state is not None, "without OpenSSL's functions no file would be continued"
        digest = Digest(name, state)
    assert digest.hexdigest() == hashlib.new(name, b"".join(pieces)).hexdigest()


@pytest.mark.parametrize("state", ["", "AAAA", "not base64!"])
def test_state_that_is_none_is_refused(state: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # base64's error is one
        Digest("sha256", state)


@pytest.mark.parametrize("path", [LARGE, SMALL, "/hostile/empty?how=length"], ids=["parts", "one part", "empty"])
def test_sha256_is_in_metadata_and_result_and_log(streamer: Streamer, path: str) -> None:
    (result,) = streamer.run(path)
    stored = streamer.s3.head_object(Bucket=BUCKET, Key=result["s3_key"])
    assert result["sha256"] == stored["Metadata"]["sha256"] == expected_sha256(path)
    (line,) = streamer.named("file_complete") + streamer.named("file_complete_zero")
    assert line["sha256"] == result["sha256"]
    assert streamer.keys() == {result["s3_key"]}
    assert stored["ContentType"].startswith("text/csv")
    versions = streamer.s3.list_object_versions(Bucket=BUCKET, Prefix=".csv-streamer/uploads/")
    assert "Versions" not in versions, "joined parts leave no version behind"


@pytest.mark.parametrize("size", [6 * PART, 7 * PART + 11])
def test_object_that_is_too_large_for_one_copy_is_copied_in_parts(
    streamer: Streamer, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(copies, "MAX_SINGLE_COPY", 2 * PART)
    monkeypatch.setattr(copies, "_PART", 2 * PART - 1)
    (result,) = streamer.run(path := f"/files/units.csv?bytes={size}")
    assert result["sha256"] == streamer.sha256(result["s3_key"]) == expected_sha256(path)
    counts = streamer.named("s3_request_counters")[0]
    assert (counts["copy_object"], counts["upload_part_copy"]) == (0, -(-size // (2 * PART)))
    assert streamer.s3.head_object(Bucket=BUCKET, Key=result["s3_key"])["Metadata"]["sha256"] == result["sha256"]
    assert streamer.unfinished_uploads() == 0


def test_copy_in_parts_that_fails_leaves_nothing(streamer: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MAX_SINGLE_COPY", 2 * PART)
    streamer.deny("UploadPartCopy")
    (result,) = streamer.run(LARGE)
    assert (result["status"], result["code"]) == ("failed", "s3_error")
    assert streamer.keys() == set()
    assert streamer.unfinished_uploads() == 0


@pytest.mark.parametrize("path", [LARGE, SMALL], ids=["parts", "one part"])
def test_declared_checksums_and_size_that_are_right_are_no_matter(streamer: Streamer, path: str) -> None:
    body = streamer.s3.get_object(Bucket=BUCKET, Key=streamer.run(path)[0]["s3_key"])["Body"].read()
    declared = {"sha256": hashlib.sha256(body).hexdigest().upper(), "md5": hashlib.md5(body).hexdigest()}
    (result,) = streamer.run({"url": path, **declared, "size": len(body)})
    assert result["status"] == "success", result
    (result,) = streamer.run({"url": path, "expect": {**declared, "size": len(body), "min_size": 1}})
    assert result["status"] == "success", result


@pytest.mark.parametrize("path", [LARGE, SMALL], ids=["parts", "one part"])
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"sha256": "0" * 64}, "sha256_mismatch"),
        ({"expect": {"sha256": "0" * 64}}, "sha256_mismatch"),
        ({"md5": "0" * 32}, "md5_mismatch"),
        ({"size": 7}, "size_unexpected"),
        ({"expect": {"min_size": 10**9}}, "size_unexpected"),
        ({"expect": {"first_line": "nothing,like,it"}}, "first_line_unexpected"),
        ({"expect": {"content_type": "application/json"}}, "content_type_unexpected"),
    ],
)
def test_file_that_is_not_what_is_declared_is_never_visible(
    streamer: Streamer, path: str, fields: dict[str, object], code: str
) -> None:
    (result,) = streamer.run({"url": path, **fields})
    assert (result["status"], result["code"]) == ("failed", code)
    assert streamer.keys() == set()
    assert "Versions" not in streamer.s3.list_object_versions(Bucket=BUCKET, Prefix="raw/")
    assert streamer.unfinished_uploads() == 0
    assert not streamer.named("file_retry")
    assert streamer.named("file_error")[0]["code"] == code


@pytest.mark.parametrize("fields", [{"size": 5}, {"expect": {"min_size": 10**9}}])
def test_size_is_checked_where_the_server_tells_none(streamer: Streamer, fields: dict[str, object]) -> None:
    (result,) = streamer.run({"url": f"/hostile/chunked/units.csv?bytes={6 * PART}", **fields})
    assert (result["status"], result["code"]) == ("failed", "size_unexpected")
    assert streamer.keys() == set()


def check(body: bytes, encoding: str | None = None, **fields: object) -> str:
    content = Content(Expectation(**fields), encoding)  # type: ignore[arg-type]
    for start in range(0, len(body), 100_000):
        content.add(bytearray(body[start : start + 100_000]))
    return content.finish()


@pytest.mark.parametrize(
    "body", [b"id,name\n1,a\n", b"id,name\r\n", b"id,name", b"\xef\xbb\xbfid,name\n", b"id,name\r2"]
)
def test_first_line_is_compared_without_its_end_and_mark(body: bytes) -> None:
    assert check(body, first_line="id,name") == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("body", [b"", b"id,nam\n", b"id,name,\n", b"\nid,name\n", b" id,name\n", b"<html>"])
def test_first_line_that_differs_is_refused(body: bytes) -> None:
    with pytest.raises(FileError) as refusal:
        check(body, first_line="id,name")
    assert refusal.value.code == "first_line_unexpected"


def test_first_line_of_a_compressed_body_is_read() -> None:
    body = gzip.compress(b"id,name\n" + os.urandom(500_000))
    check(body, "gzip", first_line="id,name")
    with pytest.raises(FileError, match="expected 'other'"):
        check(body, "gzip", first_line="other")
    with pytest.raises(FileError, match="a body in br cannot be read"):
        check(body, "br", first_line="id,name")
    check(body, "br")


@pytest.fixture
def page() -> Iterator[RangedServer]:
    with ranged_server(0) as server:
        server.body = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"
        yield server


def test_html_in_place_of_a_table_is_told_of(streamer: Streamer, page: RangedServer) -> None:
    url = page.url.replace("a.csv", "login.csv")
    (result,) = streamer.run(url)
    assert result["status"] == "success"
    assert result["warnings"][0].startswith("html_instead_of_csv: ")
    assert streamer.named("file_warning")[0]["s3_key"] == result["s3_key"]


@pytest.mark.parametrize(
    "entry", [{"name": "page.html"}, {"name": "page"}, {"name": "x.csv", "content_type": "text/html"}]
)
def test_html_that_is_wanted_is_not(streamer: Streamer, page: RangedServer, entry: dict[str, str]) -> None:
    (result,) = streamer.run({"url": page.url, **entry})
    assert result["status"] == "success"
    assert "warnings" not in result


def test_html_can_be_refused(streamer: Streamer, page: RangedServer) -> None:
    (result,) = streamer.run({"url": page.url, "expect": {"first_line": "id,name"}})
    assert (result["status"], result["code"]) == ("failed", "first_line_unexpected")
    assert streamer.keys() == set()
