"""The job table's item as Python values, and what the list of jobs is made of."""

from dataclasses import dataclass
from typing import Any

type Item = dict[str, Any]
"""A job as stored: strings, lists, booleans; numbers are int where whole, else Decimal."""

type Answer = dict[str, Any]
"""The JSON body of an answer."""


@dataclass(frozen=True)
class Position:
    """The job after which the next page of the list starts."""

    created_at: str
    job_id: str


@dataclass(frozen=True)
class Page:
    """What a list request asks for: at most ``limit`` jobs, older than ``after`` if given."""

    limit: int
    after: Position | None


@dataclass(frozen=True)
class Signature:
    """A signed download address and the moment (ISO 8601, UTC) at which it stops working."""

    url: str
    expires_at: str
