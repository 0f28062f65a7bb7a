"""Memory limits: no object exceeds the function's memory, and a bad one fails alone."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.unit.xapi_etl.statements import make_statements, write_lines

ROOT = Path(__file__).parents[4]
MEMORY_MB = 1024
ALLOWED_MB = MEMORY_MB * 85 // 100
MIB = 1024 * 1024
STATEMENT = b'{"id":"%08d","actor":{"mbox":"m"},"verb":{"id":"v"},"object":{"id":"o"}}'
STATEMENT_BEGINNING = b'{"id":"1","actor":{"mbox":"m"},"verb":{"id":"v"},"object":{"id":"o"},"x":'


def repeat(text: bytes, size: int) -> Iterator[bytes]:
    """Yield a repeated text in chunks."""
    piece = text * max(1, MIB // len(text))
    for _ in range(size // len(piece)):
        yield piece


def one_line(text: bytes, size: int, end: bytes = b"0]}\n") -> Iterator[bytes]:
    yield STATEMENT_BEGINNING + b"["
    yield from repeat(text, size)
    yield end


def odd(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Return the same line with a repeated key, which takes the slow path."""
    yield next(lines).replace(b'{"id":"1",', b'{"id":"2","id":"1",')
    yield from lines


def numbered(template: bytes, count: int) -> Iterator[bytes]:
    for start in range(0, count, 10_000):
        yield b"\n".join([template % number for number in range(start, start + 10_000)]) + b"\n"


def write_object(template: bytes, count: int) -> bytes:
    return b"{" + b",".join([template % number for number in range(count)]) + b"}\n"


INPUTS: dict[str, tuple[Callable[[], Iterator[bytes]], dict[str, str]]] = {
    "empty objects": (lambda: repeat(b"{}\n", 24 * MIB), {}),
    "empty objects as JSON": (lambda: repeat(b"{}\n", 3 * MIB), {"STRICTNESS": "json"}),
    "empty objects, every key a column": (lambda: repeat(b"{}\n", 3 * MIB), {"COLUMN_MAP": "auto"}),
    "numbers": (lambda: repeat(b"1\n", 32 * MIB), {}),
    "numbers, failing": (lambda: repeat(b"1\n", 32 * MIB), {"BAD_LINES": "fail"}),
    "numbers, skipped": (lambda: repeat(b"1\n", 4 * MIB), {"BAD_LINES": "skip"}),
    "blank lines": (lambda: repeat(b"\n", 512 * MIB), {}),
    "short statements": (lambda: numbered(STATEMENT, 500_000), {}),
    "line without end": (lambda: repeat(b"x", 1024 * MIB), {}),
    "long text": (lambda: iter([STATEMENT_BEGINNING + b'"', *repeat(b"x", 31 * MIB), b'"}\n']), {}),
    "long list": (lambda: one_line(b"1,", 31 * MIB), {}),
    "long list of objects": (lambda: one_line(b'{"a":1},', 31 * MIB), {}),
    "long list, careful way": (lambda: odd(one_line(b"1,", 31 * MIB)), {}),
    "long list of objects, careful way": (lambda: odd(one_line(b'{"a":1},', 31 * MIB)), {}),
    "long list, every key a column": (lambda: one_line(b'{"a":1},', 31 * MIB), {"COLUMN_MAP": "auto"}),
    "values up to the limit": (lambda: odd(one_line(b'{"a":1},', 199_000 * 8)), {}),
    "lines of many values": (lambda: iter([b"".join(odd(one_line(b'{"a":1},', 190_000 * 8))) * 20]), {}),
    "deep": (lambda: one_line(b"[", 31 * MIB), {}),
    "many keys": (lambda: iter([write_object(b'"%d":0', 2_000_000)]), {"COLUMN_MAP": "auto"}),
    "many columns": (
        lambda: iter([write_object(b'"k%d":"some text"', 900) * 3000]),
        {"COLUMN_MAP": "auto"},
    ),
    "other keys in every line": (lambda: numbered(b'{"%d":1}', 400_000), {"COLUMN_MAP": "auto"}),
    "long bad lines": (lambda: repeat(b"?" * (8 * MIB - 1) + b"\n", 256 * MIB), {}),
    "wrong types": (lambda: repeat(STATEMENT.replace(b'"m"', b"7") % 1 + b"\n", 48 * MIB), {}),
    "long lines": (lambda: repeat(STATEMENT_BEGINNING + b'"' + b"y" * (15 * MIB) + b'"}\n', 240 * MIB), {}),
    "one array of statements": (lambda: iter([b"[", *repeat(STATEMENT % 1 + b",", 32 * MIB), STATEMENT % 2, b"]"]), {}),
    "array of one long element": (lambda: iter([b'[{"a":"', *repeat(b"x", 512 * MIB)]), {}),
}  # fmt: skip


def write(path: Path, pieces: Iterator[bytes], compression: str) -> int:
    """Write a compressed object; return its uncompressed size."""
    size = 0
    with path.open("wb") as file:
        if compression == "zstd":
            with zstandard.ZstdCompressor().stream_writer(file) as sink:
                for piece in pieces:
                    size += sink.write(piece)
        else:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as sink_:
                for piece in pieces:
                    size += sink_.write(piece)
    return size


def run(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    defaults = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'lambdas'}",
        "AWS_ACCESS_KEY_ID": "t",
        "AWS_SECRET_ACCESS_KEY": "t",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DRY_RUN": "true",
    }
    command = [sys.executable, "-m", "tests.unit.xapi_etl.loading.memory_child", str(folder), str(6 * 1024 * MIB)]
    done = subprocess.run(command, env=defaults | environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    lines = [json.loads(line) for line in done.stdout.splitlines()[:-1]]
    report["complete"] = next(line for line in lines if line.get("event") == "batch_complete")
    report["reasons"] = [line["reason"] for line in lines if line.get("event") == "object_failed"]
    return report


def check(folder: Path, name: str, compression: str) -> None:
    make, environment = INPUTS[name]
    (folder / "neighbour.jsonl").write_bytes(write_lines(make_statements(10)))
    size = write(folder / "worst.jsonl.gz", make(), compression)
    report = run(folder, environment)
    print(
        f"{name}: {size >> 20} MB in {(folder / 'worst.jsonl.gz').stat().st_size >> 10} KB,",
        report["peak_mb"],
        "MB at the peak",
        report["reasons"],
    )
    assert report["peak_mb"] < ALLOWED_MB
    assert set(report["failed"]) <= {"worst.jsonl.gz"}, "the neighbour is loaded"
    assert report["complete"]["converted"] + report["complete"]["empty"] + report["complete"]["failed"] == 2


def test_many_tiny_lines_stay_within_the_memory(tmp_path: Path) -> None:
    (tmp_path / "neighbour.jsonl").write_bytes(write_lines(make_statements(10)))
    write(tmp_path / "worst.jsonl.gz", repeat(b"{}\n", 1 * MIB), "gzip")
    report = run(tmp_path, {"STRICTNESS": "json"})
    assert report["peak_mb"] < ALLOWED_MB / 2
    assert (report["failed"], report["complete"]["converted"]) == ([], 2)


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("name", INPUTS)
def test_no_object_exceeds_the_memory(tmp_path: Path, name: str, compression: str) -> None:
    check(tmp_path, name, compression)
