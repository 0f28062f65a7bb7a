"""Fuzzer that mutates Parquet files and reads them in a separate process: `footer_fuzz.py SEED ROUNDS [FILE...]`.

Prints how many were read and refused, and the first error that is neither. A crash ends the process with a signal.
"""

import datetime as dt
import io
import json
import random
import sys
import traceback
import uuid
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from dataset_download.exceptions import DatasetError
from dataset_download.pages.overview import describe_columns, preview
from tests.unit.dataset_download.memory_s3 import MemoryS3

LARGEST_ANSWER = 1 << 20


def make_files() -> list[bytes]:
    """Return small files of many types, each with statistics."""
    table = pa.table(
        {
            "i": pa.array([1, None, 3], pa.int32()),
            "l": pa.array([1, 2, 3], pa.int64()),
            "u": pa.array([1, 2, 3], pa.uint32()),
            "f": [1.5, None, -0.0],
            "h": pa.array([1.5, 2.5, None], pa.float16()),
            "s": ["a", "b,", None],
            "b": pa.array([b"x", b"", b"yy"], pa.binary()),
            "d": pa.array([Decimal("1.5"), None, Decimal(-2)], pa.decimal128(20, 2)),
            "t": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * 3, pa.timestamp("us", "UTC")),
            "day": pa.array([dt.date(2024, 1, 1)] * 3),
            "id": pa.array([uuid.UUID(int=number).bytes for number in range(3)], pa.uuid()),
            "flag": [True, False, None],
            "list": [[1, 2], None, []],
            "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}],
        }
    )
    files = []
    for options in ({}, {"use_dictionary": False, "compression": "none", "row_group_size": 2}):
        sink = io.BytesIO()
        pq.write_table(table, sink, **options)
        files.append(sink.getvalue())
    return files


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Return a file with some bytes of its footer changed; its length and markers stay right."""
    length = int.from_bytes(data[-8:-4], "little")
    body, footer = data[: -8 - length], bytearray(data[-8 - length : -8]) or bytearray(1)
    for _ in range(dice.choice((1, 1, 1, 1, 2, 3))):
        place = dice.randrange(len(footer))
        match dice.choice((0, 0, 1, 1, 1, 2, 2, 3, 4, 5)):
            case 0:
                footer[place] = dice.randrange(256)
            case 1:
                footer[place] ^= 1 << dice.randrange(8)
            case 2:
                footer[place] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0C, 0x15, 0x19, 0x18))
            case 3:
                del footer[place : place + dice.randrange(1, 9)]
            case 4:
                footer[place:place] = dice.randbytes(dice.randrange(1, 5))
            case _:
                source = dice.randrange(len(footer))
                footer[place : place + 8] = footer[source : source + 8]
        if not footer:
            footer = bytearray(b"\0")
    if len(body) > 4 and dice.random() < 0.3:
        damaged = bytearray(body)
        damaged[dice.randrange(4, len(damaged))] ^= 1 << dice.randrange(8)
        body = bytes(damaged)
    return body + bytes(footer) + len(footer).to_bytes(4, "little") + b"PAR1"


def read(data: bytes) -> None:
    """Do with a file all that a caller can ask for."""
    store = MemoryS3()
    store.objects["data.parquet"] = data
    dataset = store.open()
    describe_columns(dataset)
    preview(dataset, 3)
    for format_ in ("csv", "jsonl", "parquet"):
        _take(store, format_, [("limit", "3")])
    for column in describe_columns(dataset):
        _take(store, "csv", [(f"{column.name}__isnull", "false"), ("limit", "3")])
        if column.minimum is not None and column.filterable:
            _take(store, "csv", [(f"{column.name}__eq", column.minimum), ("limit", "3")])


def _take(store: MemoryS3, format_: str, pairs: list[tuple[str, str]]) -> None:
    size = 0
    try:
        with store.start(format_, pairs) as download:
            for piece in download:
                size += len(piece)
                if size > LARGEST_ANSWER:
                    return
    except DatasetError:
        return


def main() -> None:
    """Run."""
    seed, rounds = int(sys.argv[1]), int(sys.argv[2])
    files = [Path(name).read_bytes() for name in sys.argv[3:]] or make_files()
    dice = random.Random(seed)
    outcomes: Counter[str] = Counter()
    for _ in range(rounds):
        data = mutate(dice.choice(files), dice)
        Path("last.parquet").write_bytes(data)
        try:
            read(data)
            outcomes["read"] += 1
        except DatasetError:
            outcomes["refused"] += 1
        except Exception:  # noqa: BLE001 - all that should not be
            traceback.print_exc()
            outcomes["failed"] += 1
            Path(f"failed-{outcomes['failed']}.parquet").write_bytes(data)
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
