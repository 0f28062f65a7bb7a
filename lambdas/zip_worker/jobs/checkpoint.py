"""What one invocation leaves to the next, as bytes: the plan, which never changes, and the state, which does."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from zip_worker.archive.layout import Layout
from zip_worker.archive.part_buffer import PartBuffer
from zip_worker.archive.writer import RECORD_SIZE, Cursor
from zip_worker.exceptions import LeaseLostError
from zip_worker.job_record import SERVICE_PREFIX
from zip_worker.s3.multipart import CopyRange, Part, Parts
from zip_worker.schemas import CopiedRun, KeyFault, Member, Placement, Source

from .plan import Plan

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING = {"NoSuchKey", "404", "PreconditionFailed", "412"}
_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_VERSION = 1
_PLAN_VERSION = 2
_MEMBERS_A_LINE = 1000


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


class StateStore:
    """Where one worker keeps what another may need; only one of them can write at a time."""

    def __init__(self, s3: S3Client, bucket: str, job_id: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._plan_key = f"{SERVICE_PREFIX}{job_id}.plan"
        self._state_key = f"{SERVICE_PREFIX}{job_id}.state"
        self._etag: str | None = None

    @property
    def is_used(self) -> bool:
        """Whether a state was found or saved."""
        return self._etag is not None

    def load(self) -> tuple[Plan, State] | None:
        """Return what was saved last, or ``None`` if that is nothing, or nothing that this version can go on with."""
        found = self._read(self._state_key)
        if found is None:
            return None
        raw, self._etag = found
        state = load_state(raw)
        plan_raw = state and self._read(self._plan_key, IfMatch=state.plan_etag)
        plan = load_plan(plan_raw[0]) if plan_raw else None
        return (plan, state) if plan and state else None

    def save_plan(self, plan: Plan) -> str:
        """Keep the plan; return the ETag that names it in states."""
        return self._s3.put_object(Bucket=self._bucket, Key=self._plan_key, Body=dump_plan(plan))["ETag"]

    def save(self, state: State) -> None:
        """Keep the state in place of the one that this worker read or wrote last.

        Raises:
            LeaseLostError: there is another one by now, so another worker must have written it.
        """
        raw = dump_state(state)
        condition: dict[str, Any] = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        try:
            answer = self._s3.put_object(Bucket=self._bucket, Key=self._state_key, Body=raw, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _TAKEN:
                raise
            # The SDK repeats a write whose answer was lost, and then finds its own first try.
            found = self._read(self._state_key)
            if found is None or found[0] != raw:
                raise LeaseLostError("another worker has saved its state") from error
            self._etag = found[1]
        else:
            self._etag = answer["ETag"]

    def drop(self) -> None:
        """Forget plan and state."""
        for key in (self._state_key, self._plan_key):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _read(self, key: str, **condition: str) -> tuple[bytes, str] | None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key, **condition)  # type: ignore[arg-type]
            return answer["Body"].read(), answer["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
