"""Copies of the provider on disk: recognition, and checks that one is complete and fits this machine."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Callable, Iterable

from prerequisites.requirements import Version, parse_version

TYPE = "aws"
_ZIP = re.compile(r"^terraform-provider-aws_(\d+\.\d+\.\d+)_([a-z0-9]+_[a-z0-9]+)\.zip$")
_BINARY = re.compile(r"^terraform-provider-aws(?:_v(\d+\.\d+\.\d+))?(?:_x\d+)?(?:\.exe)?$")
_PLATFORM = re.compile(r"^[a-z]+\d*_(?:amd64|arm64|386|arm)$")
_VERSION = re.compile(r"^\d+\.\d+\.\d+$")
_BLOCK = 1 << 20
_HEAD = 1 << 16

_ELF_MACHINES = {3: "386", 40: "arm", 62: "amd64", 183: "arm64"}
_MACH_PROCESSORS = {0x01000007: "amd64", 0x0100000C: "arm64"}
_MACH_64 = 0xFEEDFACF
_MACH_SEGMENT_64 = 0x19
_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_ELF_SEGMENT = struct.Struct("<IIQQQQQQ")
_ELF_SECTION = struct.Struct("<IIQQQQIIQQ")
_NO_BITS = 8


class BrokenPackageError(Exception):
    """A copy of the provider that Terraform could not use; the message says why."""


@dataclass(frozen=True)
class Package:
    """A copy of the provider: a zip as the registry serves it, or the folder that one was unpacked into."""

    path: Path
    version: Version
    platform: str

    @property
    def is_packed(self) -> bool:
        """Return whether it is a zip."""
        return self.path.suffix == ".zip"


def recognise(folder: Path, names: Iterable[str]) -> list[Package]:
    """Return the packages that a folder holds or is, going by the names of its files alone."""
    packages = []
    for name in names:
        zipped, binary = _ZIP.match(name), _BINARY.match(name)
        if zipped:
            packages.append(Package(folder / name, parse_version(zipped.group(1)), zipped.group(2)))
        elif binary and _PLATFORM.match(folder.name):
            version = folder.parent.name if _VERSION.match(folder.parent.name) else binary.group(1)
            if version:
                packages.append(Package(folder, parse_version(version), folder.name))
    return packages


def check(package: Package) -> None:
    """Raise BrokenPackageError unless a package is whole and its program is one for the platform that it names."""
    try:
        if package.is_packed:
            _check_zip(package)
        else:
            _check_folder(package)
    except (OSError, struct.error, zipfile.BadZipFile) as error:
        raise BrokenPackageError(f"cannot be read ({error})") from error


def _check_zip(package: Package) -> None:
    try:
        archive = zipfile.ZipFile(str(package.path))
    except zipfile.BadZipFile as error:
        raise BrokenPackageError("is not a zip, or a truncated one") from error
    with archive:
        entries = [entry for entry in archive.infolist() if _BINARY.match(entry.filename)]
        if not entries:
            raise BrokenPackageError("has no terraform-provider-aws in it")
        with archive.open(entries[0]) as file:
            _check_program(file.read(_HEAD), entries[0].file_size, package.platform)


def _check_folder(package: Package) -> None:
    programs = [path for path in sorted(package.path.iterdir()) if _BINARY.match(path.name)]
    if not programs:
        raise BrokenPackageError("has no terraform-provider-aws in it")
    program = programs[0]
    status = program.stat()
    if not status.st_mode & 0o111:
        raise BrokenPackageError("may not be executed (chmod +x)")
    with program.open("rb") as file:
        head = file.read(_HEAD)
    _check_program(head, status.st_size, package.platform)


def _check_program(head: bytes, size: int, platform: str) -> None:
    system, _, processor = platform.partition("_")
    found, end = _read_program(head)
    if not found:
        raise BrokenPackageError("is not a program, or an empty one")
    wanted_format = "darwin" if system == "darwin" else "elf"
    if system != "windows" and found != (wanted_format, processor):
        raise BrokenPackageError(f"is not a program for {platform} but for {'/'.join(found)}")
    if end > size:
        raise BrokenPackageError(f"is truncated ({size} of at least {end} bytes)")


def _read_program(head: bytes) -> tuple[tuple[str, str] | None, int]:
    """Return the format and processor of a program, and how long its file has to be at least."""
    if head[:5] == b"\x7fELF\x02":
        return _read_elf(head)
    if len(head) >= 8 and struct.unpack_from("<I", head)[0] == _MACH_64:  # noqa: PLR2004 - two words
        return _read_mach(head)
    if head[:4] == b"\x7fELF":
        return ("elf", "386"), 0
    if head[:2] == b"MZ":
        return ("windows", ""), 0
    return None, 0


def _read_elf(head: bytes) -> tuple[tuple[str, str] | None, int]:
    header = _ELF_HEADER.unpack_from(head)
    machine, segments_at, sections_at = header[2], header[5], header[6]
    segment_size, segments, section_size, sections = header[9:13]
    end = max(segments_at + segment_size * segments, sections_at + section_size * sections)
    for number in range(segments):
        place = segments_at + number * segment_size
        if place + _ELF_SEGMENT.size <= len(head):
            segment = _ELF_SEGMENT.unpack_from(head, place)
            end = max(end, segment[2] + segment[5])
    for number in range(sections):
        place = sections_at + number * section_size
        if place + _ELF_SECTION.size <= len(head):
            section = _ELF_SECTION.unpack_from(head, place)
            if section[1] != _NO_BITS:
                end = max(end, section[4] + section[5])
    return ("elf", _ELF_MACHINES.get(machine, f"machine {machine}")), end


def _read_mach(head: bytes) -> tuple[tuple[str, str] | None, int]:
    _, processor, _, _, commands, _, _, _ = struct.unpack_from("<IIIIIIII", head)
    place, end = 32, 0
    for _ in range(commands):
        if place + 72 > len(head):
            break
        command, length = struct.unpack_from("<II", head, place)
        if command == _MACH_SEGMENT_64:
            offset, size = struct.unpack_from("<QQ", head, place + 40)
            end = max(end, offset + size)
        place += length
    return ("darwin", _MACH_PROCESSORS.get(processor, f"processor {processor}")), end


def has_checksum(package: Package, accepted: frozenset[str]) -> bool:
    """Return whether a package has one of a lock file's checksums: `zh:` of a zip, `h1:` of its files or a folder's."""
    if package.is_packed:
        with package.path.open("rb") as file:
            if f"zh:{_digest_file(file)}" in accepted:
                return True
        with zipfile.ZipFile(str(package.path)) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
            return _digest_files(names, archive.open) in accepted
    names = [path.relative_to(package.path).as_posix() for path in package.path.rglob("*") if path.is_file()]
    return _digest_files(names, lambda name: (package.path / name).open("rb")) in accepted


def _digest_files(names: Iterable[str], open_file: Callable[[str], IO[bytes]]) -> str:
    """Return the `h1:` checksum (Go's dirhash) of files, by name."""
    lines = []
    for name in sorted(names):
        with open_file(name) as file:
            lines.append(f"{_digest_file(file)}  {name}\n")
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def _digest_file(file: IO[bytes]) -> str:
    sha = hashlib.sha256()
    for block in iter(lambda: file.read(_BLOCK), b""):
        sha.update(block)
    return sha.hexdigest()


def fingerprint(package: Package) -> str:
    """Return what changes when a package does, without reading it: names, sizes and times of its files."""
    paths = [package.path] if package.is_packed else sorted(package.path.rglob("*"))
    parts = []
    for path in paths:
        status = path.stat()
        parts.append(f"{path.name}:{status.st_size}:{status.st_mtime_ns}")
    return "|".join(parts)


def is_safe(package: Package) -> bool:
    """Return whether only this user and the system's can have written a package."""
    paths = [package.path] if package.is_packed else [package.path, *package.path.rglob("*")]
    statuses = [path.stat() for path in paths]
    return all(status.st_uid in {0, os.geteuid()} and not status.st_mode & stat.S_IWOTH for status in statuses)
