"""Sample data of the aggregator: learning events as JSON lines, determined by their seed."""

import json
import uuid
from collections.abc import Iterator
from random import Random

_VERBS = ("answered", "attempted", "completed", "experienced", "failed", "interacted", "launched", "passed", "scored")
_COURSES = ("Pump maintenance", "First aid", "Data protection", "Working at height", "Welding II", "Forklift licence")
_DEVICES = ("ios", "android", "web", "desktop")
_FIRST_SECOND = 1_760_000_000


def make_event(random: Random, number: int) -> bytes:
    """Return one line of about 400 bytes."""
    actor = random.randrange(5_000)
    course = random.choice(_COURSES)
    event = {
        "id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        "timestamp": _FIRST_SECOND + number + random.random(),
        "actor": {"account": f"u{actor:05}", "name": f"Learner {actor}", "mbox": f"mailto:learner{actor}@example.org"},
        "verb": random.choice(_VERBS),
        "object": {"course": course, "unit": random.randint(1, 40), "attempt": random.randint(1, 3)},
        "result": {"score": round(random.random(), 3), "duration_ms": random.randrange(900_000)},
        "context": {"device": random.choice(_DEVICES), "session": f"{random.getrandbits(64):016x}"},
    }
    return json.dumps(event).encode() + b"\n"


def make_object(seed: int, size: int) -> bytes:
    """Return whole lines, of `size` bytes at least."""
    return b"".join(_make_lines(seed, size))


def _make_lines(seed: int, size: int) -> Iterator[bytes]:
    random = Random(seed)
    made = 0
    while made < size:
        line = make_event(random, made)
        made += len(line)
        yield line
