"""Packs documents in memory into an archive that is discarded.

Usage: `python -m tests.bench.contenders.pack_documents HOW FILES BYTES OUT`.
The result is the processor time of an archive in parts of 8 MiB, without any S3. OUT gets the seconds as JSON.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path

PART_BYTES = 8 << 20
_MODIFIED = datetime(2026, 1, 1, tzinfo=UTC)


def pack_ours(documents: dict[str, bytes]) -> int:
    """The worker's writer, parts of 8 MiB; returns the archive's size."""
    from zip_worker.archive.layout import Layout, Read, plan_steps  # noqa: PLC0415
    from zip_worker.archive.part_buffer import PartCutter  # noqa: PLC0415
    from zip_worker.archive.writer import ArchiveWriter, prepare_block  # noqa: PLC0415
    from zip_worker.schemas import BlockRequest, Member, Source  # noqa: PLC0415

    modified = int(_MODIFIED.timestamp())
    members = [Member(name, Source(name, len(data), "e", modified)) for name, data in documents.items()]
    layout = Layout(members, PART_BYTES, 256 << 20, 4 << 20, "stored")
    cutter = PartCutter(layout.part_size, lambda *_: None)
    writer = ArchiveWriter(layout, cutter, lambda *_: None)
    for step in plan_steps(layout):
        block = None
        if isinstance(step, Read):
            source = members[step.index].source
            block = prepare_block(BlockRequest(source, step.start, step.length), documents[source.key], "stored")
        writer.do(step, block)
    writer.finish()
    cutter.finish()
    return cutter.position


def pack_zipstream(documents: dict[str, bytes]) -> int:
    """zipstream-ng; returns the archive's size."""
    from zipstream import ZipStream  # type: ignore[import-untyped]  # noqa: PLC0415

    archive = ZipStream(compress_type=0)
    for name, data in documents.items():
        archive.add(iter([data]), name)
    return cut(archive)


def pack_stream_zip(documents: dict[str, bytes]) -> int:
    """stream-zip, whose stored members need their CRC-32 beforehand; returns the archive's size."""
    import zlib  # noqa: PLC0415

    from stream_zip import NO_COMPRESSION_64, stream_zip  # type: ignore[import-not-found]  # noqa: PLC0415

    def members() -> Iterator[object]:
        for name, data in documents.items():
            yield name, _MODIFIED, 0o644, NO_COMPRESSION_64(len(data), zlib.crc32(data)), (data,)

    return cut(stream_zip(members()))


def cut(pieces: Iterable[bytes]) -> int:
    """Cut an archive into parts of 8 MiB, as an upload needs them; return its size."""
    waiting, size = bytearray(), 0
    for piece in pieces:
        waiting += piece
        while len(waiting) >= PART_BYTES:
            size += len(bytes(waiting[:PART_BYTES]))
            del waiting[:PART_BYTES]
    return size + len(waiting)


HOWS: dict[str, Callable[[dict[str, bytes]], int]] = {
    "ours": pack_ours,
    "zipstream-ng": pack_zipstream,
    "stream-zip": pack_stream_zip,
}


def main() -> int:
    """Run; returns the exit status."""
    how, files, size, target = sys.argv[1:]
    noise = random.Random(1).randbytes(int(size))
    documents = dict(zip((f"{number:06}.pdf" for number in range(int(files))), repeat(noise), strict=False))
    pack = HOWS[how]
    pack({"warm-up.pdf": b"x"})
    started = time.perf_counter()
    written = pack(documents)
    seconds = time.perf_counter() - started
    if written < int(files) * int(size):
        return 1
    Path(target).write_text(json.dumps({"seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
