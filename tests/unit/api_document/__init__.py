"""Events as an HTTP API sends them (payload format 2.0), one JSON file each."""

import json
from pathlib import Path
from typing import Any

type Event = dict[str, Any]

_FOLDER = Path(__file__).parent


def load_event(name: str) -> Event:
    """Return a fresh copy of the event in ``<name>.json``."""
    event: Event = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return event
