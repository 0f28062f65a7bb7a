"""Copies of a provider as small as they can be, and a machine that has none but those."""

import struct
import zipfile
from pathlib import Path

MACHINES = {"amd64": 62, "arm64": 183}
ADDRESS = "registry.terraform.io/hashicorp/aws"


def make_program(processor: str = "amd64", *, sections: bytes = b"the program's sections") -> bytes:
    """Return an ELF file of one segment, which reaches to its end."""
    size = 64 + 56 + len(sections)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, MACHINES[processor], 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0
    )
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096) + sections


def make_unpacked(
    mirror: Path,
    version: str = "5.100.0",
    platform: str = "linux_amd64",
    *,
    address: str = ADDRESS,
    program: bytes | None = None,
) -> Path:
    """Write an unpacked package to a mirror; returns its folder."""
    folder = mirror / address / version / platform
    folder.mkdir(parents=True)
    (folder / "LICENSE.txt").write_text("all rights\n")
    path = folder / f"terraform-provider-aws_v{version}_x5"
    path.write_bytes(make_program(platform.partition("_")[2]) if program is None else program)
    path.chmod(0o755)
    return folder


def make_packed(
    mirror: Path, version: str = "5.100.0", platform: str = "linux_amd64", *, program: bytes | None = None
) -> Path:
    """Write a packed package to a mirror; returns the zip."""
    path = mirror / ADDRESS / f"terraform-provider-aws_{version}_{platform}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        content = make_program(platform.partition("_")[2]) if program is None else program
        archive.writestr(f"terraform-provider-aws_v{version}_x5", content)
        archive.writestr("LICENSE.txt", "all rights\n")
    return path
