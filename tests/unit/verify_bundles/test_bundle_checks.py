"""First tier for the checks, second for the command: does it find what is wrong?"""

import gzip
import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from data_aggregator.bundle.manifest import Member, read_manifest, write_manifest
from data_aggregator.core import BundleWriter
from data_aggregator.exceptions import VerificationError
from data_aggregator.schemas import Manifest, Source
from tests.unit.data_aggregator.conftest import SESSION, Aws, use_old_layout
from verify_bundles import cli as verify
from verify_bundles.bundle_checks import check_bundle, cut_source

CONTENTS = {"a": b"alpha", "b": b"", "c": b"gamma\n" * 1000, "d": b"delta"}


def make_bundle() -> tuple[bytes, Manifest]:
    file = io.BytesIO()
    writer = BundleWriter(file, level=1, limit=2**20, check=lambda: None)
    members = [
        Member(Source(f"id-{key}", "source", key, "v", "e", len(body)), writer.add([body]))
        for key, body in CONTENTS.items()
    ]
    size = writer.finish()
    raw = write_manifest(
        "x.gz",
        "request",
        members,
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
        ("sha256", "0" * 64, "'c' does not match the SHA-256"),
        ("offset", 5, "'c' does not match the SHA-256"),
        ("offset", 8, "more than a newline"),
        ("length", 7000, "bytes too early"),
        ("length", 5999, "more than a newline|does not match the SHA-256"),
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
    with pytest.raises(VerificationError, match="more than a newline after the last source"):
        check_bundle(io.BytesIO(bundle), manifest)


def test_bundle_packed_again_is_found() -> None:
    bundle, manifest = make_bundle()
    with pytest.raises(VerificationError, match="the bundle does not match the SHA-256"):
        check_bundle(io.BytesIO(gzip.compress(gzip.decompress(bundle))), manifest)


@pytest.mark.parametrize("end", [10, 40, -3])
def test_truncated_bundle_is_found(end: int) -> None:
    bundle, manifest = make_bundle()
    with pytest.raises(VerificationError):
        check_bundle(io.BytesIO(bundle[:end]), manifest)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"sources": [{}]}', b'{"sources": [{"id": ""}]}', b"\xff", b"\x1f\x8b\x08", b"null"]
)
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


def test_command_checks_and_cuts_one_bundle(bundled: Aws, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    url = f"s3://distribution/{bundled.bundle_keys()[0]}"
    assert run("bundle", url, capsys=capsys)[0] == 0
    assert run("cut", url, "c", "--output", str(tmp_path / "c"), capsys=capsys)[0] == 0
    assert (tmp_path / "c").read_bytes() == CONTENTS["c"]
    status, _, err = run("cut", url, "absent", capsys=capsys)
    assert (status, err) == (1, "verify: the bundle does not hold 'absent'\n")
    assert run("bundle", "distribution/x.gz", capsys=capsys)[0] == 1
    assert run("bundle", "s3://distribution/absent.gz", capsys=capsys)[0] == 1


def test_bundle_of_the_old_layout_is_checked_and_cut_too(
    bundled: Aws, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (key,) = bundled.bundle_keys()
    use_old_layout(bundled, key)
    assert run("bundle", f"s3://distribution/{key}", capsys=capsys)[0] == 0
    assert run("cut", f"s3://distribution/{key}", "c", "--output", str(tmp_path / "c"), capsys=capsys)[0] == 0
    assert (tmp_path / "c").read_bytes() == CONTENTS["c"]


@pytest.fixture
def truncated(bundled: Aws) -> str:
    (key,) = bundled.bundle_keys()
    raw = bundled.s3.get_object(Bucket="distribution", Key=key)["Body"].read()
    bundled.s3.put_object(Bucket="distribution", Key=key, Body=raw[:-12])
    return f"s3://distribution/{key}"


def test_cut_of_a_truncated_bundle_says_so_and_leaves_nothing(
    truncated: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "kept").write_bytes(b"from before")
    for name in ("new", "kept"):
        status, _, err = run("cut", truncated, "d", "--output", str(tmp_path / name), capsys=capsys)
        assert status == 1
        assert err.startswith("verify: the bundle is truncated or damaged: ")
    assert run("cut", truncated, "d", capsys=capsys)[:2] == (1, "")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_bytes() == b"from before"


@pytest.mark.parametrize("what", ["folder", "missing/file", "file/below"])
def test_cut_to_a_bad_path_says_so_and_leaves_nothing(
    bundled: Aws, capsys: pytest.CaptureFixture[str], tmp_path: Path, what: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    url = f"s3://distribution/{bundled.bundle_keys()[0]}"
    status, _, err = run("cut", url, "a", "--output", str(tmp_path / what), capsys=capsys)
    assert status == 1
    assert err.startswith("verify: ")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_cut_to_a_device_or_a_link_replaces_neither(
    bundled: Aws, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"s3://distribution/{bundled.bundle_keys()[0]}"
    (tmp_path / "file").write_bytes(b"before")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "null").symlink_to(os.devnull)
    for name in ("link", "null"):
        assert run("cut", url, "a", "--output", str(tmp_path / name), capsys=capsys)[0] == 0
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "file").read_bytes() == CONTENTS["a"]
    assert Path(os.devnull).is_char_device()


def test_cut_into_a_pipe_that_closes_says_so_without_a_traceback() -> None:
    script = (
        "import io, sys\nfrom verify_bundles import cli as verify\n"
        "verify._read_manifest = lambda *_: {'sources': [{'key': 'k', 'version_id': None}]}\n"
        "verify.cut_source = lambda *_: (b'x' * 65536 for _ in range(100))\n"
        "verify.boto3.client = lambda *_, **__: type('S3', (), {'get_object': lambda *_, **__: {'Body': None}})()\n"
        "sys.exit(verify.main(['cut', 's3://b/k.gz', 'k']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": "scripts:lambdas"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(1) == b"x"
        process.stdout.close()
        assert process.stderr.read() == b"verify: the output was closed before all was written\n"
    assert process.returncode == 1
