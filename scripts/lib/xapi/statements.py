"""Put xAPI statements, as a learning platform would send them, into a bucket: plain and gzip objects in turn."""

from __future__ import annotations

import argparse
import gzip
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import Progress

from lib.common.clients import make_s3_client
from lib.common.demo_notes import note
from lib.common.units import describe_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FIRST_SECOND = 1_790_812_800  # 1 October 2026
_DAYS = 14
_PAGES = 400
_SLOW_EVERY = 97
_VIDEO = "https://w3id.org/xapi/video"
_LMS = "https://lms.example.org"
_VERBS = (
    ("experienced", "http://adlnet.gov/expapi/verbs/experienced", 40),
    ("played", f"{_VIDEO}/verbs/played", 20),
    ("paused", f"{_VIDEO}/verbs/paused", 15),
    ("seeked", f"{_VIDEO}/verbs/seeked", 10),
    ("answered", "http://adlnet.gov/expapi/verbs/answered", 10),
    ("completed", "http://adlnet.gov/expapi/verbs/completed", 5),
)
_NAMES = ("Ada Lovelace", "Zoë Müller", "李雷", "O'Connor, Seán", "Nkechi Okafor")
_PROCESSES = 2


@dataclass(frozen=True)
class Wanted:
    """One object to write: its content and its key."""

    bucket: str
    prefix: str
    seed: str
    number: int
    statements: int

    @property
    def key(self) -> str:
        """Return the object's key; every other one is compressed."""
        return f"{self.prefix}{self.number:05d}.jsonl{'.gz' if self.number % 2 else ''}"


def draw_object(seed: str, number: int, statements: int) -> bytes:
    """Return object ``number``: JSON Lines of about 1.2 KB a statement, the same ones for the same seed."""
    return "".join(_draw_statements(random.Random(f"{seed}/{number}"), statements)).encode()  # noqa: S311


def _draw_statements(dice: random.Random, count: int) -> Iterator[str]:
    verbs = dice.choices(_VERBS, weights=[weight for _, _, weight in _VERBS], k=count)
    for verb, iri, _ in verbs:
        page = int(_PAGES * dice.random() ** 2)  # the first pages are read most
        moment = _FIRST_SECOND + dice.random() * _DAYS * 86_400
        yield _describe(verb, iri, page) % (
            _draw_uuid(dice),
            dice.getrandbits(15),
            _draw_result(dice, verb, page),
            _draw_uuid(dice),
            _draw_uuid(dice),
            _write_time(moment),
            _write_time(moment + 1.5),
        )


@cache
def _describe(verb: str, iri: str, page: int) -> str:
    """Return a statement template for a verb and a page; its placeholders are filled in the order of the draws."""
    return _STATEMENT.format(
        id="%s",
        name=_NAMES[page % len(_NAMES)],
        user="%06d",
        iri=iri,
        verb=verb,
        kind="video" if iri.startswith(_VIDEO) else "page",
        course=page % 20,
        page=page,
        result="%s",
        registration="%s",
        platform=("web", "ios", "android")[page % 3],
        language=("en-US", "de-DE", "fr-FR")[page % 3],
        session="%s",
        length=60 + page * 3,
        timestamp="%s",
        stored="%s",
    )


_STATEMENT = (
    '{{"id":"{id}",'
    '"actor":{{"objectType":"Agent","name":"{name}",'
    '"account":{{"homePage":"https://lms.example.org/users","name":"user-{user}"}}}},'
    '"verb":{{"id":"{iri}","display":{{"en-US":"{verb}","de-DE":"hat es {verb}"}}}},'
    '"object":{{"objectType":"Activity","id":"https://lms.example.org/courses/{course}/{kind}/{page}",'
    '"definition":{{"type":"https://w3id.org/xapi/{kind}/activity-type/{kind}",'
    '"name":{{"en-US":"Unit {course}: {kind} {page}, an introduction to the subject"}}}}}},'
    '"result":{result},'
    '"context":{{"registration":"{registration}","platform":"{platform}","language":"{language}",'
    '"contextActivities":{{"category":[{{"id":"https://w3id.org/xapi/video",'
    '"definition":{{"type":"http://adlnet.gov/expapi/activities/profile"}}}}],'
    '"parent":[{{"id":"https://lms.example.org/courses/{course}","objectType":"Activity"}}]}},'
    '"extensions":{{"https://w3id.org/xapi/video/extensions/session-id":"{session}",'
    '"https://w3id.org/xapi/video/extensions/length":{length}}}}},'
    '"timestamp":"{timestamp}","stored":"{stored}","version":"1.0.3"}}\n'
)


def _draw_uuid(dice: random.Random) -> str:
    text = f"{dice.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _draw_result(dice: random.Random, verb: str, page: int) -> str:
    position = dice.random()
    if verb == "experienced":
        # Some pages are slow.
        seconds = (6 if page % _SLOW_EVERY else 45) * (0.5 + position)
        return f'{{"duration":"PT{seconds:.2f}S"}}'
    if verb == "answered":
        raw = int(position * 11)
        score = f'{{"raw":{raw},"min":0,"max":10,"scaled":{raw / 10}}}'
        return f'{{"score":{score},"success":{str(raw > 5).lower()},"response":"choice-{raw % 4}"}}'  # noqa: PLR2004
    if verb == "completed":
        return f'{{"completion":true,"extensions":{{"{_VIDEO}/extensions/progress":1}}}}'
    at = position * 600
    names = (("time-from", at), ("time-to", at + 30)) if verb == "seeked" else (("time", at), ("progress", position))
    return f'{{"extensions":{{{",".join(f'"{_VIDEO}/extensions/{name}":{value:.3f}' for name, value in names)}}}}}'


def _write_time(moment: float) -> str:
    seconds, part = int(moment), int(moment % 1 * 1000)
    clock = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{part:03d}"
    return f"{_write_day(seconds // 86_400)}T{clock}Z"


@cache
def _write_day(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86_400))


def put_object(wanted: Wanted) -> int:
    """Draw and put one object; return its size in bytes, as it is stored."""
    body = draw_object(wanted.seed, wanted.number, wanted.statements)
    if wanted.key.endswith(".gz"):
        body = gzip.compress(body, 1)
    _connect().put_object(Bucket=wanted.bucket, Key=wanted.key, Body=body, ContentType="application/jsonl")
    return len(body)


@cache
def _connect() -> S3Client:
    return make_s3_client()


def list_wanted(bucket: str, prefix: str, seed: str, statements: int, objects: int) -> list[Wanted]:
    """Return the objects that together hold ``count`` statements, distributed as evenly as possible."""
    each, more = divmod(statements, objects)
    return [Wanted(bucket, prefix, seed, number, each + (number < more)) for number in range(objects)]


def put_all(wanted: list[Wanted], progress: Progress) -> int:
    """Put objects concurrently; return their total size in bytes."""
    task = progress.add_task("Statements", total=sum(one.statements for one in wanted))
    size = 0
    with ProcessPoolExecutor(_PROCESSES) as pool:
        running = {pool.submit(put_object, one): one for one in wanted}
        for done in as_completed(running):
            size += done.result()
            progress.advance(task, running[done].statements)
    return size


def main() -> int:
    """Run from the command line: ``BUCKET PREFIX COUNT``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bucket")
    parser.add_argument("prefix")
    parser.add_argument("count", type=int)
    parser.add_argument("--objects", type=int, default=100)
    parser.add_argument("--seed", default="1")
    chosen = parser.parse_args()
    console = Console()
    wanted = list_wanted(chosen.bucket, chosen.prefix, chosen.seed, chosen.count, min(chosen.objects, chosen.count))
    started = time.monotonic()
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            size = put_all(wanted, progress)
    except (ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    where = f"s3://{chosen.bucket}/{chosen.prefix}"
    said = f"{chosen.count:,} statements in {len(wanted)} objects, {describe_bytes(size)}, to {where} ({seconds:.1f} s)"
    print(said)
    note("fact", "Statements", said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
