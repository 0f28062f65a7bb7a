"""Archives are built in memory and opened by tools that share no code with the writer."""

import io
import random
import shutil
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zip_worker.archive.layout import Layout, Read, plan_steps
from zip_worker.archive.part_buffer import PartCutter
from zip_worker.archive.writer import ArchiveWriter, prepare_block
from zip_worker.archive.zip_format import (
    DEFLATED,
    STORED,
    Entry,
    central_header,
    end_records,
    local_header,
    local_header_size,
    needs_zip64,
)
from zip_worker.job_record import Compression
from zip_worker.schemas import BlockRequest, Member, Source

MODIFIED = int(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC).timestamp())
GIB = 2**30


def build(
    contents: Mapping[str, bytes], *, compression: Compression = "stored", block_size: int = 100, part_size: int = 64
) -> bytes:
    members = [Member(name, Source(f"key/{name}", len(data), '"e"', MODIFIED)) for name, data in contents.items()]
    by_key = {f"key/{name}": data for name, data in contents.items()}
    parts: dict[int, bytes] = {}
    cutter = PartCutter(part_size, lambda number, data: parts.update({number: bytes(data)}))
    layout = Layout(members, part_size, 10**9, block_size, compression)
    writer = ArchiveWriter(layout, cutter, copy=lambda *_: pytest.fail("nothing here is to be copied"))
    for step in plan_steps(layout):
        block = None
        if isinstance(step, Read):
            request = BlockRequest(members[step.index].source, step.start, step.length)
            data = by_key[request.source.key][step.start : step.start + step.length]
            block = prepare_block(request, data, compression)
        writer.do(step, block)
    writer.finish()
    number, last = cutter.finish()
    return b"".join(parts[index] for index in range(1, number)) + last


NOISE = random.Random(7).randbytes(1000)
CONTENTS = {
    "empty.txt": b"",
    "small.txt": b"hello",
    "exactly one block.bin": NOISE[:100],
    "one byte more.bin": NOISE[:101],
    "ten blocks.bin": NOISE,
    "compressible.txt": b"again and again " * 50,
    "grüße/日本語 📄.txt": "ünïcode".encode(),
    "folder/": b"",
    "long/" + "é" * 512: b"1,024 bytes of name",
}


@pytest.mark.parametrize("compression", ["stored", "deflated"])
@pytest.mark.parametrize("part_size", [1, 64, 10**6])
def test_zipfile_reads_back_names_bytes_times_and_sizes(compression: Compression, part_size: int) -> None:
    with zipfile.ZipFile(io.BytesIO(build(CONTENTS, compression=compression, part_size=part_size))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(CONTENTS)
        for name, data in CONTENTS.items():
            info = archive.getinfo(name)
            assert archive.read(name) == data
            assert (info.file_size, info.CRC) == (len(data), zlib.crc32(data))
            assert info.date_time == (2026, 3, 4, 5, 6, 6)  # DOS times have steps of two seconds
            assert info.flag_bits & 0x08 == 0, "no data descriptor"
            assert info.is_dir() == name.endswith("/")


def test_what_does_not_shrink_is_stored_even_when_deflated_was_asked_for() -> None:
    with zipfile.ZipFile(io.BytesIO(build(CONTENTS, compression="deflated", block_size=10_000))) as archive:
        assert archive.getinfo("ten blocks.bin").compress_type == zipfile.ZIP_STORED
        assert archive.getinfo("compressible.txt").compress_type == zipfile.ZIP_DEFLATED
        assert archive.getinfo("compressible.txt").compress_size < 100


def test_bytes_do_not_depend_on_blocks_and_parts() -> None:
    assert build(CONTENTS, block_size=7, part_size=13) == build(CONTENTS, block_size=10**6, part_size=10**6)


def test_local_headers_say_what_the_directory_says() -> None:
    """A reader that goes front to back never sees the directory (Java's ZipInputStream, bsdtar on a pipe)."""
    raw = build(CONTENTS)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for info in archive.infolist():
            crc32, compressed_size, size = struct.unpack_from("<3L", raw, info.header_offset + 14)
            assert (crc32, compressed_size, size) == (info.CRC, info.compress_size, info.file_size)


@pytest.mark.parametrize("command", [["unzip", "-tq"], ["7z", "t"], ["bsdtar", "-tf"]])
@pytest.mark.parametrize("compression", ["stored", "deflated"])
def test_common_tools_accept_the_archive(command: list[str], compression: Compression, tmp_path: Path) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    path = tmp_path / "a.zip"
    path.write_bytes(build(CONTENTS, compression=compression))
    done = subprocess.run([*command, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_unzip_extracts_exact_bytes_and_times(tmp_path: Path) -> None:
    if not shutil.which("unzip"):
        pytest.skip("unzip is not installed")
    (tmp_path / "a.zip").write_bytes(build({name: data for name, data in CONTENTS.items() if len(name) < 255}))
    subprocess.run(["unzip", "-q", "a.zip"], cwd=tmp_path, check=True)
    for name, data in CONTENTS.items():
        if not name.endswith("/") and len(name) < 255:
            assert (tmp_path / name).read_bytes() == data
            assert (tmp_path / name).stat().st_mtime == MODIFIED


def test_archive_can_be_read_from_a_pipe(tmp_path: Path) -> None:
    if not shutil.which("bsdtar"):
        pytest.skip("bsdtar is not installed")
    done = subprocess.run(["bsdtar", "-xf", "-", "-C", tmp_path], input=build({"a": NOISE, "b": b"x"}), check=False)
    assert done.returncode == 0
    assert (tmp_path / "a").read_bytes() == NOISE


def test_seventy_thousand_members_need_and_get_zip64() -> None:
    contents = {f"{number}.txt": b"%d" % number for number in range(70_000)}
    with zipfile.ZipFile(io.BytesIO(build(contents, part_size=10**7))) as archive:
        assert len(archive.namelist()) == 70_000
        assert archive.read("69999.txt") == b"69999"


@pytest.mark.parametrize("size", [2**32 - 2, 2**32 - 1, 2**32, 5 * GIB])
@pytest.mark.parametrize("command", [["unzip", "-l"], ["7z", "l"], ["bsdtar", "-tvf"]])
def test_members_around_four_gibibytes_are_listed_with_their_size(
    size: int, command: list[str], tmp_path: Path
) -> None:
    """The members are holes in a sparse file: only the records are real."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    path = write_sparse(tmp_path / "big.zip", [("big.bin", size), ("after.bin", 3)])
    done = subprocess.run([*command, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(size) in done.stdout
    with zipfile.ZipFile(path) as archive:
        assert [(info.filename, info.file_size) for info in archive.infolist()] == [("big.bin", size), ("after.bin", 3)]
        assert archive.read("after.bin") == b"\0\0\0"


def write_sparse(path: Path, members: list[tuple[str, int]]) -> Path:
    directory = b""
    with path.open("wb") as file:
        for name, size in members:
            zip64 = needs_zip64(size, STORED)
            crc32 = zlib.crc32(bytes(size)) if size < 100 else 0
            entry = Entry(name.encode(), MODIFIED, STORED, crc32, size, size, file.tell(), zip64)
            header = local_header(entry)
            assert len(header) == local_header_size(entry.name, zip64=zip64, modified=MODIFIED)
            file.write(header)
            file.seek(size, io.SEEK_CUR)
            directory += central_header(entry)
        start = file.tell()
        file.write(directory)
        file.write(end_records(len(members), len(directory), start))
    return path


def test_deflated_members_get_room_for_64_bits_before_they_might_need_it() -> None:
    assert not needs_zip64(2**32 - 2, STORED)
    assert needs_zip64(2**32 - 2, DEFLATED)
    assert needs_zip64(2**32 - 1, STORED)


@pytest.mark.parametrize("modified", [0, 2**31, -5, 2**40])
def test_times_outside_what_zip_can_say_are_clamped(modified: int) -> None:
    raw = io.BytesIO()
    entry = Entry(b"a", modified, STORED, 0, 0, 0, 0, zip64=False)
    raw.write(local_header(entry) + central_header(entry))
    raw.write(end_records(1, len(central_header(entry)), len(local_header(entry))))
    with zipfile.ZipFile(raw) as archive:
        assert 1980 <= archive.getinfo("a").date_time[0] <= 2107
