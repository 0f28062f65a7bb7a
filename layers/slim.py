"""Makes an installed tree smaller: files that a layer names, and what only debuggers read of shared libraries."""

import struct
from fnmatch import fnmatchcase
from pathlib import Path

from pack import list_files

MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian: x86_64 and arm64
# Offsets in the ELF header. Source: System V ABI, "ELF Header" and "Program Header".
PROGRAM_HEADERS = struct.Struct("<32xQ14xHH")
SECTION_HEADERS_AT = 40
SECTION_COUNTS_AT = 58
SEGMENT = struct.Struct("<8xQ16xQ16x")


def read_patterns(path: Path) -> list[str]:
    """Return the patterns of a layer's leave_out.txt; none where it has no such file."""
    if not path.is_file():
        return []
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def leave_out(tree: Path, patterns: list[str]) -> None:
    """Delete the files of a tree that match a pattern, in which * also stands for /."""
    for name in list(list_files(tree)):
        if any(fnmatchcase(str(name), pattern) for pattern in patterns):
            (tree / name).unlink()


def cut_symbols(tree: Path) -> None:
    """Truncate every shared library of a tree after its loaded segments."""
    for name in list_files(tree):
        if ".so" in name.suffixes:
            data = (tree / name).read_bytes()
            shorter = cut_library(data)
            if len(shorter) < len(data):
                (tree / name).write_bytes(shorter)


def cut_library(data: bytes) -> bytes:
    """Return an ELF file without the data after its segments: symbols and debug information.

    The loader reads the segments alone, so that the table of sections may go too. Anything else is returned as it is.
    """
    if not data.startswith(MAGIC):
        return data
    table, size, count = PROGRAM_HEADERS.unpack_from(data)
    end = table + size * count
    for number in range(count):
        offset, length = SEGMENT.unpack_from(data, table + number * size)
        end = max(end, offset + length)
    cut = bytearray(data[:end])
    cut[SECTION_HEADERS_AT : SECTION_HEADERS_AT + 8] = bytes(8)
    cut[SECTION_COUNTS_AT : SECTION_COUNTS_AT + 6] = bytes(6)
    return bytes(cut)
