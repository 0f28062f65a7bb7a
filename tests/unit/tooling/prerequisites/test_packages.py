"""Recognising copies of the provider, and those that Terraform could not use."""

import base64
import hashlib
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from prerequisites.packages import BrokenPackageError, Package, check, has_checksum, recognise
from tests.unit.tooling.prerequisites.provider_packages import make_packed, make_program, make_unpacked

AMD64 = "linux_amd64"


def unpacked(folder: Path, platform: str = AMD64) -> Package:
    return Package(folder, (5, 100, 0), platform)


def test_packages_are_recognised_by_their_names(tmp_path: Path) -> None:
    folder, zipped = make_unpacked(tmp_path), make_packed(tmp_path, "6.1.0", "darwin_arm64")
    names = [path.name for path in folder.iterdir()]
    assert recognise(folder, names) == [unpacked(folder)]
    assert recognise(zipped.parent, [zipped.name, "terraform-provider-awscc_1.0.0_linux_amd64.zip"]) == [
        Package(zipped, (6, 1, 0), "darwin_arm64")
    ]


def test_version_of_a_folder_outside_a_mirror_is_its_programs() -> None:
    (package,) = recognise(Path("/opt/aws/linux_amd64"), ["terraform-provider-aws_v5.101.2_x5"])
    assert package.version == (5, 101, 2)
    assert recognise(Path("/opt/bin"), ["terraform-provider-aws_v5.101.2_x5"]) == []
    assert recognise(Path("/opt/aws/linux_amd64"), ["terraform-provider-aws"]) == []


def test_whole_packages_pass(tmp_path: Path) -> None:
    check(unpacked(make_unpacked(tmp_path)))
    check(Package(make_packed(tmp_path), (5, 100, 0), AMD64))
    check(unpacked(make_unpacked(tmp_path, platform="linux_arm64"), "linux_arm64"))


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (make_program("arm64"), r"is not a program for linux_amd64 but for elf/arm64"),
        (make_program()[:-1], r"is truncated \(141 of at least 142 bytes\)"),
        (make_program()[:100], r"is truncated"),
        (make_program()[:40], r"cannot be read"),
        (b"", r"is not a program, or an empty one"),
        (b"#!/bin/sh\nexit 0\n", r"is not a program"),
        (b"version https://git-lfs.github.com/spec/v1\n", r"is not a program"),
    ],
)
def test_broken_program_is_told(tmp_path: Path, program: bytes, reason: str) -> None:
    with pytest.raises(BrokenPackageError, match=reason):
        check(unpacked(make_unpacked(tmp_path, program=program)))
    with pytest.raises(BrokenPackageError, match=reason):
        check(Package(make_packed(tmp_path, program=program), (5, 100, 0), AMD64))


def test_program_for_macos_is_told_from_one_for_linux(tmp_path: Path) -> None:
    segment = struct.pack("<II16sQQQQIIII", 0x19, 72, b"__TEXT", 0, 200, 0, 200, 5, 5, 0, 0)
    program = struct.pack("<IIIIIIII", 0xFEEDFACF, 0x0100000C, 0, 2, 1, 72, 0, 0) + segment
    folder = make_unpacked(tmp_path, platform="darwin_arm64", program=program.ljust(200, b"\0"))
    check(unpacked(folder, "darwin_arm64"))
    with pytest.raises(BrokenPackageError, match="but for darwin/arm64"):
        check(unpacked(folder, "darwin_amd64"))
    cut = make_unpacked(tmp_path / "cut", platform="darwin_arm64", program=program)
    with pytest.raises(BrokenPackageError, match="is truncated"):
        check(unpacked(cut, "darwin_arm64"))


def test_program_that_may_not_run_is_told(tmp_path: Path) -> None:
    folder = make_unpacked(tmp_path)
    next(folder.glob("terraform-*")).chmod(0o644)
    with pytest.raises(BrokenPackageError, match="may not be executed"):
        check(unpacked(folder))


@pytest.mark.parametrize("kept", [0, 10, 150])
def test_truncated_zip_is_told(tmp_path: Path, kept: int) -> None:
    path = make_packed(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BrokenPackageError, match="is not a zip, or a truncated one"):
        check(Package(path, (5, 100, 0), AMD64))


def test_zip_of_something_else_is_told(tmp_path: Path) -> None:
    path = make_packed(tmp_path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("terraform-provider-awscc_v1.0.0", make_program())
    with pytest.raises(BrokenPackageError, match="has no terraform-provider-aws in it"):
        check(Package(path, (5, 100, 0), AMD64))


def test_checksums_are_those_of_a_lock_file(tmp_path: Path) -> None:
    folder, zipped = make_unpacked(tmp_path), make_packed(tmp_path)
    names = sorted(path.name for path in folder.iterdir())
    listed = subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, check=True).stdout
    content = "h1:" + base64.b64encode(hashlib.sha256(listed).digest()).decode()
    packed = Package(zipped, (5, 100, 0), AMD64)
    assert has_checksum(unpacked(folder), frozenset({content}))
    assert has_checksum(packed, frozenset({content}))
    assert has_checksum(packed, frozenset({f"zh:{hashlib.sha256(zipped.read_bytes()).hexdigest()}"}))
    (folder / "LICENSE.txt").write_text("no rights\n")
    assert not has_checksum(unpacked(folder), frozenset({content}))
