"""Checkpoints: the plan and the progress of an archive, stored in the target bucket for the next worker.

The plan is written once. Each checkpoint replaces the previous one on the condition that it is still the one that this
worker read or wrote last. A lifecycle rule of the bucket removes the objects that a worker leaves behind.
"""

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
from zip_worker.s3.multipart import CopyRange, MultipartState, Part
from zip_worker.schemas import CopiedRun, KeyFault, Member, Placement, Source

from .plan import Plan

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING = {"NoSuchKey", "404", "PreconditionFailed", "412"}
_CONFLICT = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_VERSION = 1
_PLAN_VERSION = 2
_MEMBERS_A_LINE = 1000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The progress of an archive, complete enough for another worker to continue it."""

    plan_etag: str
    cursor: Cursor
    position: int
    buffers: list[PartBuffer]
    records: bytes
    runs: list[CopiedRun]
    parts: MultipartState
    bytes_streamed: int
    is_whole: bool = False
    """Whether all parts were given, so that only the completion remains."""
    no_progress_count: int = 0
    """Number of consecutive invocations without progress."""
    attempt: int = 0
    """The attempt that saved this: without it, two workers could save equal bytes, which have one ETag."""

    @property
    def files_done(self) -> int:
        """Members that are complete."""
        return len(self.records) // RECORD_SIZE

    @property
    def bytes_copied(self) -> int:
        """Bytes whose copy S3 has confirmed."""
        requested = sum(run.length for run in self.runs)
        if self.cursor.copied and not (self.runs and self.runs[-1].first == self.cursor.first_copy):
            requested += self.cursor.copied  # of a member that is not complete
        return requested - sum(copy.length for copy in self.parts.copies.values())


def dump_plan(plan: Plan) -> bytes:
    """Return the plan as JSON Lines, compressed with gzip."""
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
    """Return the plan that :func:`dump_plan` wrote; ``None`` if another version of this code wrote it."""
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


def dump_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the checkpoint as a line of JSON, the members' records and the buffers' bytes."""
    parts = checkpoint.parts
    copies = [[number, *_flatten(copy)] for number, copy in list(parts.copies.items())]
    # Read after the copies: a copy that ends meanwhile is in both lists and never in neither.
    done = [[number, part.etag, part.size, part.crc32] for number, part in list(parts.done.items())]
    ended = {row[0] for row in done}
    head = {
        "version": _VERSION,
        "plan_etag": checkpoint.plan_etag,
        "cursor": asdict(checkpoint.cursor),
        "position": checkpoint.position,
        "buffers": [[part.number, part.gaps, len(part.data)] for part in checkpoint.buffers],
        "records": len(checkpoint.records),
        "runs": [astuple(run) for run in checkpoint.runs],
        "upload_id": parts.upload_id,
        "done": done,
        "copies": [row for row in copies if row[0] not in ended],
        "bytes_streamed": checkpoint.bytes_streamed,
        "is_whole": checkpoint.is_whole,
        "barren": checkpoint.no_progress_count,
        "attempt": checkpoint.attempt,
    }
    pieces: list[bytes | bytearray] = [json.dumps(head).encode(), b"\n", checkpoint.records]
    return b"".join([*pieces, *(part.data for part in checkpoint.buffers)])


def load_checkpoint(raw: bytes) -> Checkpoint | None:
    """Return the checkpoint that :func:`dump_checkpoint` wrote; ``None`` if another version of this code wrote it."""
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
    return Checkpoint(
        plan_etag=head["plan_etag"],
        cursor=_load_cursor(head["cursor"]),
        position=head["position"],
        buffers=buffers,
        records=records,
        runs=[CopiedRun(*run) for run in head["runs"]],
        parts=_load_parts(head),
        bytes_streamed=head["bytes_streamed"],
        is_whole=head["is_whole"],
        no_progress_count=head["barren"],
        attempt=head.get("attempt", 0),
    )


def _load_cursor(fields: dict[str, Any]) -> Cursor:
    gap = fields.pop("gap")
    return Cursor(**fields, gap=gap and tuple(gap))


def _load_parts(head: dict[str, Any]) -> MultipartState:
    done = {number: Part(*part) for number, *part in head["done"]}
    copies = {number: _unflatten(row) for number, *row in head["copies"]}
    return MultipartState(head["upload_id"], done, copies)


def _flatten(copy: CopyRange) -> list[Any]:
    return [copy.bucket, *astuple(copy.source), copy.start, copy.length]


def _unflatten(row: list[Any]) -> CopyRange:
    bucket, *source, start, length = row
    return CopyRange(bucket, Source(*source), start, length)


class CheckpointStore:
    """The plan and the checkpoint of one job as one worker reads and writes them."""

    def __init__(self, s3: S3Client, bucket: str, job_id: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._plan_key = f"{SERVICE_PREFIX}{job_id}.plan"
        self._checkpoint_key = f"{SERVICE_PREFIX}{job_id}.state"
        self._etag: str | None = None

    @property
    def is_used(self) -> bool:
        """Whether a checkpoint was found or saved."""
        return self._etag is not None

    def load(self) -> tuple[Plan, Checkpoint] | None:
        """Return the latest plan and checkpoint, or ``None`` if there are none that this version can continue."""
        found = self._read(self._checkpoint_key)
        if found is None:
            return None
        raw, self._etag = found
        checkpoint = load_checkpoint(raw)
        plan_raw = checkpoint and self._read(self._plan_key, IfMatch=checkpoint.plan_etag)
        plan = load_plan(plan_raw[0]) if plan_raw else None
        return (plan, checkpoint) if plan and checkpoint else None

    def save_plan(self, plan: Plan) -> str:
        """Store the plan; return the ETag by which checkpoints refer to it."""
        return self._s3.put_object(Bucket=self._bucket, Key=self._plan_key, Body=dump_plan(plan))["ETag"]

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint that this worker read or wrote last.

        Raises:
            LeaseLostError: another worker has replaced it.
        """
        raw = dump_checkpoint(checkpoint)
        condition: dict[str, Any] = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        try:
            response = self._s3.put_object(Bucket=self._bucket, Key=self._checkpoint_key, Body=raw, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _CONFLICT:
                raise
            # The SDK repeats a write whose response was lost, and then finds its own first attempt.
            found = self._read(self._checkpoint_key)
            if found is None or found[0] != raw:
                raise LeaseLostError("another worker has saved its checkpoint") from error
            self._etag = found[1]
        else:
            self._etag = response["ETag"]

    def delete(self) -> None:
        """Delete plan and checkpoint."""
        for key in (self._checkpoint_key, self._plan_key):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _read(self, key: str, **condition: str) -> tuple[bytes, str] | None:
        try:
            response = self._s3.get_object(Bucket=self._bucket, Key=key, **condition)  # type: ignore[arg-type]
            return response["Body"].read(), response["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
