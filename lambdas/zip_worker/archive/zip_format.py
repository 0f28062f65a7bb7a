"""The bytes of a ZIP archive's records.

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 (records), 4.4 (fields) and 4.5.3 (Zip64), and Info-ZIP's
extended timestamp field. Headers always hold the sizes and the CRC: there are no data descriptors, so that the
archive can also be read front to back by tools which raise_if_fatal them for stored members (Java's ZipInputStream).
"""

import time
from dataclasses import dataclass
from struct import Struct

STORED = 0
DEFLATED = 8

_LOCAL = Struct("<4s5H3L2H")
_CENTRAL = Struct("<4s6H3L5H2L")
_END = Struct("<4s4H2LH")
_ZIP64_END = Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR = Struct("<4sLQL")
_ZIP64_LOCAL_EXTRA = Struct("<2H2Q")
_ZIP64_CENTRAL_EXTRA = Struct("<2H3Q")
_TIMESTAMP_EXTRA = Struct("<2HBl")

_ZIP64_ID = 0x0001
_TIMESTAMP_ID = 0x5455
_MODIFIED_ONLY = 0x01
_UTF8_NAMES = 0x0800
_VERSION_PLAIN = 20
_VERSION_ZIP64 = 45
_MADE_ON_UNIX = 3 << 8
_FILE_ATTRIBUTES = 0o100644 << 16
_FOLDER_ATTRIBUTES = (0o040755 << 16) | 0x10

_MAX_16 = 0xFFFF
_MAX_32 = 0xFFFFFFFF
_MAX_TIMESTAMP = 0x7FFFFFFF
_DOS_EPOCH = (1980, 1, 1, 0, 0, 0)
_DOS_END = (2107, 12, 31, 23, 59, 58)


@dataclass(frozen=True, slots=True)
class Entry:
    """The content of a member's two headers."""

    name: bytes
    modified: int
    """Seconds since the epoch, UTC."""
    method: int
    crc32: int
    compressed_size: int
    size: int
    offset: int
    """Of the local header, from the start of the archive, bytes."""
    zip64: bool
    """Whether the local header has room for 64-bit sizes."""


def needs_zip64(size: int, method: int) -> bool:
    """Return whether a member of ``size`` bytes may need 64-bit sizes in its local header.

    Deflate expands incompressible data by some 0.03 % (zlib's ``deflateBound``); the bound allows for more.
    """
    bound = size if method == STORED else size + (size >> 11) + 64
    return bound >= _MAX_32


def local_header_size(name: bytes, *, zip64: bool, modified: int) -> int:
    """Return the length in bytes of the header that :func:`local_header` returns."""
    return _LOCAL.size + len(name) + len(_timestamp_extra(modified)) + (_ZIP64_LOCAL_EXTRA.size if zip64 else 0)


def local_header(entry: Entry) -> bytes:
    """Return the header that precedes the member's data."""
    extra = _timestamp_extra(entry.modified)
    compressed_size, size = entry.compressed_size, entry.size
    if entry.zip64:
        extra += _ZIP64_LOCAL_EXTRA.pack(_ZIP64_ID, 16, size, compressed_size)
        compressed_size = size = _MAX_32
    date, clock = _dos_date_and_time(entry.modified)
    return (
        _LOCAL.pack(
            b"PK\x03\x04",
            _VERSION_ZIP64 if entry.zip64 else _VERSION_PLAIN,
            _flags(entry.name),
            entry.method,
            clock,
            date,
            entry.crc32,
            compressed_size,
            size,
            len(entry.name),
            len(extra),
        )
        + entry.name
        + extra
    )


def central_header(entry: Entry) -> bytes:
    """Return the member's record in the central directory."""
    extra = _timestamp_extra(entry.modified)
    size, compressed_size, offset = entry.size, entry.compressed_size, entry.offset
    is_wide = max(size, compressed_size, offset) >= _MAX_32
    if is_wide:
        # All three or none: Info-ZIP's unzip 6.0 misreads an offset alone after a member of exactly 2**32 - 1 bytes.
        extra += _ZIP64_CENTRAL_EXTRA.pack(_ZIP64_ID, 24, size, compressed_size, offset)
        size = compressed_size = offset = _MAX_32
    version = _VERSION_ZIP64 if is_wide or entry.zip64 else _VERSION_PLAIN
    date, clock = _dos_date_and_time(entry.modified)
    return (
        _CENTRAL.pack(
            b"PK\x01\x02",
            _MADE_ON_UNIX | version,
            version,
            _flags(entry.name),
            entry.method,
            clock,
            date,
            entry.crc32,
            compressed_size,
            size,
            len(entry.name),
            len(extra),
            0,  # comment length
            0,  # disk number
            0,  # internal attributes
            _FOLDER_ATTRIBUTES if entry.name.endswith(b"/") else _FILE_ATTRIBUTES,
            offset,
        )
        + entry.name
        + extra
    )


def end_records(count: int, directory_size: int, directory_offset: int) -> bytes:
    """Return the records after the central directory: the end record, preceded by the Zip64 records if needed."""
    records = b""
    if count >= _MAX_16 or directory_size >= _MAX_32 or directory_offset >= _MAX_32:
        records = _ZIP64_END.pack(
            b"PK\x06\x06",
            _ZIP64_END.size - 12,
            _MADE_ON_UNIX | _VERSION_ZIP64,
            _VERSION_ZIP64,
            0,
            0,
            count,
            count,
            directory_size,
            directory_offset,
        ) + _ZIP64_LOCATOR.pack(b"PK\x06\x07", 0, directory_offset + directory_size, 1)
    return records + _END.pack(
        b"PK\x05\x06",
        0,
        0,
        min(count, _MAX_16),
        min(count, _MAX_16),
        min(directory_size, _MAX_32),
        min(directory_offset, _MAX_32),
        0,
    )


def _flags(name: bytes) -> int:
    return 0 if name.isascii() else _UTF8_NAMES


def _timestamp_extra(modified: int) -> bytes:
    """Return the extra field with the exact time in UTC; the DOS fields have two-second steps and no time zone."""
    if not 0 <= modified <= _MAX_TIMESTAMP:
        return b""
    return _TIMESTAMP_EXTRA.pack(_TIMESTAMP_ID, 5, _MODIFIED_ONLY, modified)


def _dos_date_and_time(modified: int) -> tuple[int, int]:
    year, month, day, hour, minute, second = min(max(time.gmtime(modified)[:6], _DOS_EPOCH), _DOS_END)
    return (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2
