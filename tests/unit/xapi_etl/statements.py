"""Generated statements like those of a learning platform, some 1.2 KB each, from a seed."""

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

VIDEO = "https://w3id.org/xapi/video/extensions/"
STATEMENT: dict[str, Any] = {"actor": {"mbox": "m"}, "verb": {"id": "v"}, "object": {"id": "o"}}
"""The smallest statement."""
BAD = b'?\n{}\n{"actor":{"mbox":7},"verb":{"id":"v"},"object":{"id":"o"}}\n{"a":"\xff"}\n'
"""Lines that are rejected with the default settings."""
_START = datetime(2025, 1, 1, tzinfo=UTC)
_VERBS = {
    "played": "https://w3id.org/xapi/video/verbs/played",
    "paused": "https://w3id.org/xapi/video/verbs/paused",
    "seeked": "https://w3id.org/xapi/video/verbs/seeked",
    "completed": "http://adlnet.gov/expapi/verbs/completed",
    "answered": "http://adlnet.gov/expapi/verbs/answered",
    "experienced": "http://adlnet.gov/expapi/verbs/experienced",
}


def make_statements(count: int, seed: int = 1, months: int = 6) -> list[dict[str, Any]]:
    """Return statements of every kind, spread over ``months`` months."""
    dice = random.Random(seed)
    return [_make_statement(dice, months) for _ in range(count)]


def write_lines(statements: list[dict[str, Any]]) -> bytes:
    """Return the statements as JSON Lines."""
    return b"".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for one in statements)


def _make_statement(dice: random.Random, months: int) -> dict[str, Any]:
    moment = _START + timedelta(seconds=dice.uniform(0, months * 30 * 86400))
    verb = dice.choice(list(_VERBS))
    statement: dict[str, Any] = {
        "id": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "actor": {
            "objectType": "Agent",
            "name": dice.choice(["Ada Lovelace", "Zoë Müller", "李雷", "O'Connor, Seán"]),
            "account": {"homePage": "https://lms.example.org/users", "name": f"user-{dice.randrange(50_000):06d}"},
        },
        "verb": {"id": _VERBS[verb], "display": {"en-US": verb, "de-DE": f"hat {verb}"}},
        "object": _make_object(dice, verb),
        "context": _make_context(dice),
        "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "stored": (moment + timedelta(seconds=2)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "version": "1.0.3",
    }
    result = _make_result(dice, verb)
    return statement | ({"result": result} if result else {})


def _make_object(dice: random.Random, verb: str) -> dict[str, Any]:
    page = dice.randrange(2_000)
    kind = "video" if verb in {"played", "paused", "seeked"} else "page"
    return {
        "objectType": "Activity",
        "id": f"https://lms.example.org/courses/{page % 40}/{kind}/{page}",
        "definition": {
            "type": f"https://w3id.org/xapi/{kind}/activity-type/{kind}",
            "name": {"en-US": f"Unit {page % 40}: {kind} {page}, an introduction to the subject"},
        },
    }


def _make_context(dice: random.Random) -> dict[str, Any]:
    return {
        "registration": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "platform": dice.choice(["web", "ios", "android"]),
        "language": dice.choice(["en-US", "de-DE", "fr-FR"]),
        "contextActivities": {
            "category": [{"id": "https://w3id.org/xapi/video", "definition": {"type": "http://adlnet.gov/profile"}}],
            "parent": [{"objectType": "Activity", "id": f"https://lms.example.org/courses/{dice.randrange(40)}"}],
        },
        "extensions": {
            VIDEO + "session-id": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            VIDEO + "length": round(dice.uniform(60, 3600), 3),
            "https://lms.example.org/extensions/attempt": {"number": dice.randrange(1, 5), "page": dice.randrange(99)},
        },
    }


def _make_result(dice: random.Random, verb: str) -> dict[str, Any] | None:
    if verb in {"played", "paused"}:
        return {"extensions": {VIDEO + "time": round(dice.uniform(0, 3600), 3), VIDEO + "progress": dice.random()}}
    if verb == "seeked":
        return {"extensions": {VIDEO + "time-from": dice.uniform(0, 99), VIDEO + "time-to": dice.uniform(0, 99)}}
    if verb == "completed":
        return {
            "completion": True,
            "duration": f"PT{dice.randrange(60)}M{dice.uniform(0, 60):.2f}S",
            "extensions": {VIDEO + "played-segments": "0[.]12.5[,]30[.]90", VIDEO + "progress": 1},
        }
    if verb == "answered":
        raw = dice.randrange(11)
        return {
            "score": {"raw": raw, "min": 0, "max": 10, "scaled": raw / 10},
            "success": raw > 5,
            "completion": True,
            "response": "choice-a[,]choice-c",
            "duration": f"PT{dice.uniform(1, 90):.2f}S",
        }
    return None
