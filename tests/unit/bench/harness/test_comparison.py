"""Measuring commands, and checking what they stored."""

import json
import os
import sys
import zlib
from pathlib import Path

import pytest

from sample_files.bodies import CsvBody, read_all
from tests.bench.cases.csv_streamer import check_objects
from tests.bench.harness.comparison import OURS, Case, Contender, Counts, run_case
from tests.bench.harness.processes import RunError, measure

BODIES = [CsvBody("units", 300_000), CsvBody("part_1", 5_000), CsvBody("part_2", 5_000)]


def cut(body: CsvBody, size: int) -> list[tuple[int, int]]:
    content = read_all(body)
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    return [(len(part), zlib.crc32(part)) for part in parts]


def test_stored_files_are_recognised_however_they_were_cut() -> None:
    check_objects([*BODIES], [cut(BODIES[2], 4_000), cut(BODIES[0], 100_001), cut(BODIES[1], 5_000)])


@pytest.mark.parametrize(
    "objects",
    [
        [cut(BODIES[0], 10**6), cut(BODIES[1], 10**6)],
        [cut(BODIES[0], 10**6), cut(BODIES[1], 10**6), cut(BODIES[1], 10**6)],
        [cut(BODIES[0], 200_000)[::-1], cut(BODIES[1], 10**6), cut(BODIES[2], 10**6)],
        [cut(BODIES[0], 200_000)[:1], cut(BODIES[1], 10**6), cut(BODIES[2], 10**6)],
    ],
    ids=["one is missing", "one is there twice", "parts are swapped", "a part is missing"],
)
def test_wrong_results_are_noticed(objects: list[list[tuple[int, int]]]) -> None:
    with pytest.raises(RunError):
        check_objects([*BODIES], objects)


def test_peak_memory_is_the_commands_own(tmp_path: Path) -> None:
    ballast = bytearray(os.urandom(1)) * 150_000_000  # the floor would be this, were it measured from here
    small = measure([sys.executable, "-c", "pass"], os.environ, tmp_path)
    large = measure([sys.executable, "-c", "x = b'1' * 100_000_000"], os.environ, tmp_path)
    assert small.rss_mb < 60
    assert 100 < large.rss_mb < 160
    assert len(ballast) == 150_000_000


def test_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"(?s)status 3.*the reason"):
        measure([sys.executable, "-c", "import sys; print('the reason'); sys.exit(3)"], os.environ, tmp_path)


def test_contenders_take_turns_and_every_run_is_prepared_and_checked(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def note(word: str) -> None:
        with log.open("a") as file:
            file.write(word + " ")

    def finish() -> Counts:
        note("check")
        return {"GetObject": 3, "PutObject": 1}

    def make(name: str) -> Contender:
        own = tmp_path / f"{name}.json"
        own.write_text(json.dumps({"seconds": len(name), "calls": {"SQS": 2}}))
        command = [sys.executable, "-c", f"open({str(log)!r}, 'a').write('{name} ')"]
        return Contender(name, command, os.environ, own_time=own)

    case = Case("s", "c", [make(OURS), make("theirs")], lambda: note("prepare"), finish)
    outcome = run_case(case, 2, tmp_path, lambda _: None)
    turns = log.read_text().split()
    assert turns[1::3] == [OURS, "theirs", "theirs", OURS]
    assert turns[0::3] == ["prepare"] * 4
    assert turns[2::3] == ["check"] * 4
    assert [run.seconds for run in outcome.runs["theirs"]] == [6.0, 6.0]
    assert outcome.runs[OURS][0].s3_requests == 4
    assert outcome.runs[OURS][0].requests == {"GetObject": 3, "PutObject": 1, "SQS": 2}
