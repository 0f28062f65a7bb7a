"""Layouts in miniature: parts of at least 50 bytes, copied ranges of at most 200."""

import io
import random
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zip_worker.archive import layout, writer
from zip_worker.archive.layout import Copy, Layout, Read, choose_layout, plan_steps
from zip_worker.archive.part_buffer import PartCutter
from zip_worker.archive.writer import ArchiveWriter, prepare_block
from zip_worker.exceptions import LimitExceededError
from zip_worker.job_record import Compression
from zip_worker.jobs.checkpoint import Checkpoint, dump_checkpoint, load_checkpoint
from zip_worker.s3.multipart import CopyRange, MultipartState, Part, join_checksums
from zip_worker.schemas import BlockRequest, CopiedRun, Member, Placement, Source
from zip_worker.settings import MIN_PART_SIZE

LEAST = 50
MIB = 2**20
GIB = 2**30
NOISE = random.Random(3).randbytes(3000)


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "MIN_PART_SIZE", LEAST)
        patch.setattr(writer, "MIN_PART_SIZE", LEAST)
        yield


@dataclass
class Target:
    """What S3 has: parts by number, and the bytes that came through the worker."""

    parts: dict[int, bytes] = field(default_factory=dict)
    copied: set[int] = field(default_factory=set)

    def put(self, number: int, data: bytes) -> None:
        self.parts[number] = bytes(data)

    def copy(self, number: int, source: Source, start: int, length: int) -> None:
        self.parts[number] = content(source)[start : start + length]
        self.copied.add(number)

    def known(self, number: int) -> Part:
        return Part(f"e{number}", len(self.parts[number]), zlib.crc32(self.parts[number]))


def content(source: Source) -> bytes:
    start = int(source.key)
    return NOISE[start : start + source.size]


def make_members(sizes: Sequence[tuple[int, bool]]) -> list[Member]:
    members = []
    for number, (size, is_known) in enumerate(sizes):
        crc32 = zlib.crc32(NOISE[number : number + size]) if is_known else None
        members.append(Member(f"{number}.bin", Source(str(number), size, '"e"', 10**9, crc32)))
    return members


def lay_out(members: Sequence[Member], threshold: int, compute: bool, compression: Compression = "stored") -> Layout:
    chosen = choose_layout(
        members, compression, part_size=64, block_size=40, copy_threshold=threshold, compute_crc=compute
    )
    return Layout(chosen.members, 64, 200, 40, compression)


class Process:
    """One invocation, which may end after any step and leave its state."""

    def __init__(self, chosen: Layout, target: Target, saved: bytes | None = None) -> None:
        self.layout, self.target = chosen, target
        self.cutter = PartCutter(chosen.part_size, target.put)
        self.writer = ArchiveWriter(chosen, self.cutter, target.copy)
        if saved is not None:
            state = load_checkpoint(saved)
            assert state is not None
            self.cutter.restore(state.position, state.buffers)
            self.writer.restore(state.cursor, state.records, state.runs)

    def work(self, steps: int) -> bool:
        """Do at most so many steps; say whether that was all."""
        for step in list(plan_steps(self.layout))[self.writer.cursor.steps :][:steps]:
            block = None
            if isinstance(step, Read):
                request = BlockRequest(self.layout.members[step.index].source, step.start, step.length, step.kept)
                data = content(request.source)[step.start : step.start + step.length]
                block = prepare_block(request, data, self.layout.compression)
            self.writer.do(step, block)
        return self.writer.cursor.steps == len(list(plan_steps(self.layout)))

    def save(self) -> bytes:
        state = Checkpoint(
            "plan", self.writer.cursor, self.cutter.position, self.cutter.buffers, bytes(self.writer.records),
            self.writer.runs, MultipartState("u"), 0,
        )  # fmt: skip
        return dump_checkpoint(state)

    def finish(self) -> bytes:
        self.writer.finish()
        number, last = self.cutter.finish()
        self.target.parts[number] = last
        assert sorted(self.target.parts) == list(range(1, number + 1))
        return b"".join(part for _, part in sorted(self.target.parts.items()))


def build(chosen: Layout, target: Target, lengths: Sequence[int] = ()) -> tuple[bytes, list[CopiedRun]]:
    """Build the archive in processes that end after so many steps each, the last one at the end."""
    saved = None
    for steps in lengths:
        process = Process(chosen, target, saved)
        if process.work(steps):
            break
        saved = process.save()
    process = Process(chosen, target, saved)
    assert process.work(10**9)
    return process.finish(), process.writer.runs


SIZES = st.lists(
    st.tuples(st.one_of(st.integers(0, 120), st.sampled_from([99, 100, 101, 150, 640, 1000])), st.booleans()),
    min_size=1, max_size=8,
)  # fmt: skip


@given(SIZES, st.booleans(), st.lists(st.integers(1, 9), max_size=6))
def test_archive_of_copied_ranges_is_that_of_streamed_bytes_also_when_interrupted(
    sizes: list[tuple[int, bool]], compute: bool, interruptions: list[int]
) -> None:
    members = make_members(sizes)
    streamed, _ = build(lay_out(members, 0, compute=False), Target())
    target = Target()
    copied, runs = build(lay_out(members, 100, compute), target, interruptions)
    assert copied == streamed
    with zipfile.ZipFile(io.BytesIO(copied)) as opened:
        assert opened.testzip() is None
        assert [opened.read(name) for name in opened.namelist()] == [content(member.source) for member in members]
    *parts, _ = [part for _, part in sorted(target.parts.items())]
    assert all(len(part) >= LEAST for part in parts), "S3 takes no shorter ones"
    assert all(len(target.parts[number]) <= 200 for number in target.copied)
    assert {number for run in runs for number in range(run.first, run.last + 1)} == target.copied
    known = {number: target.known(number) for number in target.parts}
    silent = {number: Part(part.etag, part.size, None if number in target.copied else part.crc32)
              for number, part in known.items()}  # fmt: skip
    assert join_checksums(known, runs) == join_checksums(silent, runs) == (zlib.crc32(copied), len(copied))


@given(SIZES, st.lists(st.integers(1, 9), max_size=6))
def test_deflated_archive_may_be_interrupted_too(sizes: list[tuple[int, bool]], interruptions: list[int]) -> None:
    chosen = lay_out(make_members(sizes), 100, compute=True, compression="deflated")
    assert {member.placement for member in chosen.members} == {Placement.STREAM}
    assert build(chosen, Target(), interruptions)[0] == build(chosen, Target())[0]


def test_copied_members_pass_through_the_worker_by_their_first_bytes_only() -> None:
    chosen = lay_out(make_members([(1000, True)] * 3), 100, compute=False)
    read = [step.length for step in plan_steps(chosen) if isinstance(step, Read)]
    assert sum(read) < 3 * LEAST
    assert len([step for step in plan_steps(chosen) if isinstance(step, Copy)]) == 15, "ranges of one length"


def test_object_of_unknown_checksum_is_read_once_and_copied_if_that_is_allowed() -> None:
    members = make_members([(1000, False)])
    assert {type(step) for step in plan_steps(lay_out(members, 100, compute=False))}.isdisjoint({Copy})
    steps = list(plan_steps(lay_out(members, 100, compute=True)))
    assert sum(step.length for step in steps if isinstance(step, Copy)) > 900
    assert sum(step.length for step in steps if isinstance(step, Read)) == 1000


def choose(members: Sequence[Member], **changes: int) -> Layout:
    options = {"part_size": 8 * MIB, "block_size": 4 * MIB, "copy_threshold": 32 * MIB} | changes
    return choose_layout(members, "stored", compute_crc=False, **options)


def known_members(size: int, count: int) -> list[Member]:
    return [Member(str(number), Source(str(number), size, "e", 0, crc32=7)) for number in range(count)]


def unknown_members(total: int, count: int = 10) -> list[Member]:
    return [Member(str(number), Source(str(number), total // count, "e", 0)) for number in range(count)]


@pytest.mark.parametrize("total", [0, GIB, 78 * GIB, 80 * GIB, 200 * GIB])
def test_parts_are_large_enough_for_ten_thousand_to_hold_the_archive(total: int) -> None:
    part_size = choose(unknown_members(total)).part_size
    assert part_size * 10_000 >= total
    assert 8 * MIB <= part_size <= 24 * MIB, "several of them are in memory"


def test_archive_beyond_what_fits_into_memory_and_ten_thousand_parts_is_refused_before_it_is_begun() -> None:
    with pytest.raises(LimitExceededError, match="this worker streams at most 251658240000 bytes"):
        choose(unknown_members(300 * GIB))


@pytest.mark.parametrize(
    ("size", "count"),
    [(32 * MIB, 20), (32 * MIB, 7000), (256 * MIB, 20), (5 * GIB, 900), (2048 * GIB, 2), (GIB, 4900)],
)
def test_copied_parts_keep_within_s3s_limits(size: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MIN_PART_SIZE", MIN_PART_SIZE)
    chosen = choose(known_members(size, count))
    parts, fill = 0, 0
    for step in plan_steps(chosen):
        if isinstance(step, Copy):
            assert MIN_PART_SIZE <= step.length <= 5 * GIB
            parts, fill = parts + 1 + bool(fill), 0
        elif isinstance(step, Read):
            whole, fill = divmod(fill + step.length + 200, chosen.part_size)
            parts += whole
    assert parts + 1 <= 10_000


def test_archive_beyond_what_an_object_may_be_is_refused() -> None:
    with pytest.raises(LimitExceededError, match="S3's limit is"):
        choose(known_members(1024 * GIB, 6))


def test_plan_that_steps_do_not_fit_is_noticed() -> None:
    chosen = lay_out(make_members([(1000, True)]), 100, compute=False)
    writer = ArchiveWriter(chosen, PartCutter(64, Target().put), Target().copy)
    first, *_ = plan_steps(chosen)
    writer.do(first)
    with pytest.raises(ValueError, match="part 1 would have"):
        writer.do(Copy(0, 0, 200))


def test_cutter_of_no_gap_hands_on_short_parts_only_where_it_is_told_to() -> None:
    parts: dict[int, bytes] = {}
    cutter = PartCutter(10, lambda number, data: parts.update({number: data}))
    cutter.write(b"abcdef")
    assert cutter.skip(100, minimum=6) == 2
    assert (parts, cutter.position) == ({1: b"abcdef"}, 106)
    assert cutter.skip(50, minimum=6) == 3, "nothing lies between"
    cutter.write(b"x")
    assert cutter.finish() == (4, b"x")


def test_copies_under_way_are_part_of_the_state() -> None:
    process = Process(lay_out(make_members([(10, True)]), 100, compute=False), Target())
    source = Source("k", 9, '"e"', 5, 7)
    parts = MultipartState(
        "u", {1: Part('"a"', 3, 4)}, {2: CopyRange("b", source, 5, 6), 1: CopyRange("b", source, 1, 2)}
    )
    raw = dump_checkpoint(Checkpoint("p", process.writer.cursor, 0, [], b"", [], parts, 0))
    found = load_checkpoint(raw)
    assert found is not None
    assert found.parts == MultipartState("u", {1: Part('"a"', 3, 4)}, {2: CopyRange("b", source, 5, 6)})


@pytest.mark.parametrize("harm", [lambda raw: raw.replace(b'"version": 1', b'"version": 9'), lambda raw: raw + b"x"])
def test_state_of_another_version_is_none(harm: Callable[[bytes], bytes]) -> None:
    process = Process(lay_out(make_members([(10, True)]), 100, compute=False), Target())
    assert load_checkpoint(harm(process.save())) is None
