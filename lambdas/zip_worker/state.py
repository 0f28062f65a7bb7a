"""What one invocation leaves to the next, as bytes: the plan, which never changes, and the state, which does."""

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

from .archive import RECORD_SIZE, CopiedRun, Cursor
from .layout import Layout
from .parts import PartBuffer
from .schemas import KeyFault, Member, Placement, Source
from .uploads import CopyRange, Part, Parts

_VERSION = 1
_PLAN_VERSION = 2
_MEMBERS_A_LINE = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be archived, under which names, and how; made once for a job."""

    layout: Layout
    skipped: Sequence[KeyFault]
    """Keys that were asked for and are left out."""

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(member.source.size for member in self.layout.members)


@dataclass(frozen=True, slots=True)
class State:
    """How far an archive is."""

    plan_etag: str
    cursor: Cursor
    position: int
    buffers: list[PartBuffer]
    records: bytes
    runs: list[CopiedRun]
    parts: Parts
    bytes_streamed: int
    is_whole: bool = False
    """Whether all parts are given, so that only the completion is left."""
    barren: int = 0
    """How many invocations, one after another, had no time for anything."""
    attempt: int = 0
    """Which of the job's workers saved this. Without it two of them might save the same bytes, which have one ETag."""

    @property
    def files_done(self) -> int:
        """Members that are complete."""
        return len(self.records) // RECORD_SIZE

    @property
    def bytes_copied(self) -> int:
        """Bytes that S3 has copied, as far as was known."""
        asked = sum(run.length for run in self.runs)
        if self.cursor.copied and not (self.runs and self.runs[-1].first == self.cursor.first_copy):
            asked += self.cursor.copied  # of a member that has not ended
        return asked - sum(copy.length for copy in self.parts.copies.values())


def dump_plan(plan: Plan) -> bytes:
    """Return the plan as gzipped lines of JSON."""
    layout = plan.layout
    head = {
        "version": _PLAN_VERSION,
        "part_size": layout.part_size,
        "range_size": layout.range_size,
        "block_size": layout.block_size,
        "compression": layout.compression,
        "skipped": [astuple(fault) for fault in plan.skipped],
    }
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as lines:
        lines.write(json.dumps(head).encode() + b"\n")
        for start in range(0, len(layout.members), _MEMBERS_A_LINE):
            some = layout.members[start : start + _MEMBERS_A_LINE]
            rows = [[member.name, int(member.placement), *astuple(member.source)] for member in some]
            lines.write(json.dumps(rows).encode() + b"\n")
    return packed.getvalue()


def load_plan(raw: bytes) -> Plan | None:
    """Return the plan that :func:`dump_plan` wrote; ``None`` for one of another version of this code."""
    with gzip.open(io.BytesIO(raw)) as lines:
        head = json.loads(lines.readline())
        if head.pop("version") != _PLAN_VERSION:
            return None
        skipped = [KeyFault(*fault) for fault in head.pop("skipped")]
        return Plan(Layout(members=list(_load_members(lines)), **head), skipped)


def _load_members(lines: Iterator[bytes]) -> Iterator[Member]:
    for line in lines:
        for name, placement, *source in json.loads(line):
            yield Member(name, Source(*source), Placement(placement))


def dump_state(state: State) -> bytes:
    """Return the state as a line of JSON, the members' records and the buffers' bytes."""
    parts = state.parts
    copies = [[number, *_flatten(copy)] for number, copy in list(parts.copies.items())]
    # Read after the copies: one that ends meanwhile is in both, and is copied once more; never in neither.
    done = [[number, part.etag, part.size, part.crc32] for number, part in list(parts.done.items())]
    ended = {row[0] for row in done}
    head = {
        "version": _VERSION,
        "plan_etag": state.plan_etag,
        "cursor": asdict(state.cursor),
        "position": state.position,
        "buffers": [[part.number, part.gaps, len(part.data)] for part in state.buffers],
        "records": len(state.records),
        "runs": [astuple(run) for run in state.runs],
        "upload_id": parts.upload_id,
        "done": done,
        "copies": [row for row in copies if row[0] not in ended],
        "bytes_streamed": state.bytes_streamed,
        "is_whole": state.is_whole,
        "barren": state.barren,
        "attempt": state.attempt,
    }
    pieces: list[bytes | bytearray] = [json.dumps(head).encode(), b"\n", state.records]
    return b"".join([*pieces, *(part.data for part in state.buffers)])


def load_state(raw: bytes) -> State | None:
    """Return the state that :func:`dump_state` wrote; ``None`` for one of another version of this code."""
    end = raw.index(b"\n")
    head = json.loads(raw[:end])
    if head["version"] != _VERSION:
        return None
    position = end + 1 + head["records"]
    records = raw[end + 1 : position]
    buffers, view = [], memoryview(raw)
    for number, gaps, length in head["buffers"]:
        buffers.append(PartBuffer(number, bytearray(view[position : position + length]), gaps))
        position += length
    if position != len(raw):
        return None
    return State(
        plan_etag=head["plan_etag"],
        cursor=_load_cursor(head["cursor"]),
        position=head["position"],
        buffers=buffers,
        records=records,
        runs=[CopiedRun(*run) for run in head["runs"]],
        parts=_load_parts(head),
        bytes_streamed=head["bytes_streamed"],
        is_whole=head["is_whole"],
        barren=head["barren"],
        attempt=head.get("attempt", 0),
    )


def _load_cursor(fields: dict[str, Any]) -> Cursor:
    gap = fields.pop("gap")
    return Cursor(**fields, gap=gap and tuple(gap))


def _load_parts(head: dict[str, Any]) -> Parts:
    done = {number: Part(*part) for number, *part in head["done"]}
    copies = {number: _unflatten(row) for number, *row in head["copies"]}
    return Parts(head["upload_id"], done, copies)


def _flatten(copy: CopyRange) -> list[Any]:
    return [copy.bucket, *astuple(copy.source), copy.start, copy.length]


def _unflatten(row: list[Any]) -> CopyRange:
    bucket, *source, start, length = row
    return CopyRange(bucket, Source(*source), start, length)
