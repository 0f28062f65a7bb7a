"""First tier for the checks, second for the command: does it find what is wrong?"""

import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from data_aggregator import verify
from data_aggregator.core import BundleWriter
from data_aggregator.exceptions import VerificationError
from data_aggregator.manifest import name_manifest, read_manifest, write_manifest
from data_aggregator.schemas import Manifest, Source
from data_aggregator.verification import check_bundle, cut_source
from tests.unit.data_aggregator.conftest import SESSION, Aws

CONTENTS = {"a": b"alpha", "b": b"", "c": b"gamma\n" * 1000, "d": b"delta"}


def make_bundle() -> tuple[bytes, Manifest]:
    file = io.BytesIO()
    writer = BundleWriter(file, level=1, limit=2**20, check=lambda: None)
    contents = [
        (Source(f"id-{key}", "source", key, "v", "e", len(body)), writer.add([body])) for key, body in CONTENTS.items()
    ]
    size = writer.finish()
    raw = write_manifest(
        "x.gz",
        "request",
        contents,
        uncompressed_bytes=writer.offset,
        bundle_bytes=size,
        bundle_sha256=hashlib.sha256(file.getvalue()).hexdigest(),
    )
    return file.getvalue(), read_manifest(raw)


def test_right_bundle_passes_and_gives_its_sources_back() -> None:
    bundle, manifest = make_bundle()
    check_bundle(io.BytesIO(bundle), manifest)
    for entry in manifest["sources"]:
        assert b"".join(cut_source(io.BytesIO(bundle), entry)) == CONTENTS[entry["key"]]


def test_bundle_that_was_damaged_anywhere_is_reported_as_such() -> None:
    bundle, manifest = make_bundle()
    for position in range(len(bundle)):
        damaged = bytearray(bundle)
        damaged[position] ^= 0x55
        with pytest.raises(VerificationError):
            check_bundle(io.BytesIO(damaged), manifest)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sha256", "0" * 64, "'c' has another SHA-256"),
        ("offset", 5, "'c' has another SHA-256"),
        ("offset", 8, "more than a newline"),
        ("length", 7000, "bytes too early"),
        ("length", 5999, "more than a newline|another SHA-256"),
    ],
)
def test_wrong_entry_is_found(field: str, value: Any, message: str) -> None:
    bundle, manifest = make_bundle()
    manifest["sources"][2][field] = value  # type: ignore[literal-required]
    with pytest.raises(VerificationError, match=message):
        check_bundle(io.BytesIO(bundle), manifest)


def test_missing_entry_is_found() -> None:
    bundle, manifest = make_bundle()
    del manifest["sources"][3]
    with pytest.raises(VerificationError, match="does not end at byte"):
        check_bundle(io.BytesIO(bundle), manifest)


def test_bundle_packed_again_is_found() -> None:
    bundle, manifest = make_bundle()
    with pytest.raises(VerificationError, match="the bundle has another SHA-256"):
        check_bundle(io.BytesIO(gzip.compress(gzip.decompress(bundle))), manifest)


@pytest.mark.parametrize("end", [10, 40, -3])
def test_truncated_bundle_is_found(end: int) -> None:
    bundle, manifest = make_bundle()
    with pytest.raises(VerificationError):
        check_bundle(io.BytesIO(bundle[:end]), manifest)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"sources": [{}]}', b'{"sources": [{"id": ""}]}', b"\xff"])
def test_what_is_no_manifest_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(VerificationError):
        read_manifest(raw)


@pytest.fixture
def bundled(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(boto3, "client", SESSION.client)
    aws.deliver(*[aws.put(key, body) for key, body in CONTENTS.items()])
    return aws


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    status = verify.main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_command_passes_a_right_bucket(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("bucket", "distribution", "--sources", "source", "--archive", "distribution", "--contents")
    status, out, _ = run(*arguments, capsys=capsys)
    assert status == 0
    assert (json.loads(out)["sources"], json.loads(out)["problems"]) == (4, [])


def test_command_names_what_is_in_no_bundle(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    bundled.put("late")
    status, out, _ = run("bucket", "distribution", "--sources", "source", capsys=capsys)
    assert status == 1
    assert "source in no bundle: ('source', 'late'" in json.loads(out)["problems"][0]


def test_command_names_what_is_in_two_bundles(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle,) = bundled.bundle_keys()
    for key in (bundle, name_manifest(bundle)):
        bundled.s3.copy_object(
            Bucket="distribution", Key=f"copy/{key}", CopySource={"Bucket": "distribution", "Key": key}
        )
    status, out, _ = run("bucket", "distribution", capsys=capsys)
    assert status == 1
    assert len([problem for problem in json.loads(out)["problems"] if "in several bundles" in problem]) == 4


def test_command_names_bundles_without_manifest_and_forgives_the_reverse(
    bundled: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    bundled.s3.put_object(Bucket="distribution", Key="x.gz", Body=b"")
    bundled.s3.put_object(Bucket="distribution", Key="y.manifest.json", Body=b"")
    status, out, _ = run("bucket", "distribution", "--archive", "plain", capsys=capsys)
    assert status == 1
    found = json.loads(out)
    assert "bundle without manifest: x.gz" in found["problems"]
    assert "not in the archive: x.gz" in found["problems"]
    assert found["abandoned_manifests"] == ["y.manifest.json"]


def test_command_checks_and_cuts_one_bundle(bundled: Aws, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    url = f"s3://distribution/{bundled.bundle_keys()[0]}"
    assert run("bundle", url, capsys=capsys)[0] == 0
    assert run("cut", url, "c", "--output", str(tmp_path / "c"), capsys=capsys)[0] == 0
    assert (tmp_path / "c").read_bytes() == CONTENTS["c"]
    status, _, err = run("cut", url, "absent", capsys=capsys)
    assert (status, err) == (1, "verify: the bundle does not hold 'absent'\n")
    assert run("bundle", "distribution/x.gz", capsys=capsys)[0] == 1
    assert run("bundle", "s3://distribution/absent.gz", capsys=capsys)[0] == 1
