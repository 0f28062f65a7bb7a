"""The target of a request: path and query."""

from dataclasses import dataclass
from math import isfinite
from urllib.parse import parse_qs, unquote, urlsplit

BYTES_PER_MB = 1_000_000
LARGEST_NUMBER = 10**14
_LONGEST_PAUSE_SECONDS = 3_600.0


class QueryError(ValueError):
    """A query value that the route does not accept; the response is 400."""


@dataclass(frozen=True)
class Target:
    """A decoded path and the values of its query; a route ignores names that it does not know."""

    raw: str
    path: tuple[str, ...]
    query: dict[str, str]

    def text(self, name: str, default: str = "") -> str:
        """Return a value as it is."""
        return self.query.get(name, default)

    def choice(self, name: str, *values: str) -> str:
        """Return one of several words, the first by default; raises QueryError."""
        value = self.text(name, values[0])
        if value not in values:
            raise QueryError(f"{name} is '{value}': expected {', '.join(values)}")
        return value

    def number(self, name: str, default: int) -> int:
        """Return a whole number from 0; raises QueryError."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdecimal()) or int(text) > LARGEST_NUMBER:
            raise QueryError(f"{name} is '{text}': expected a whole number up to {LARGEST_NUMBER}")
        return int(text)

    def seconds(self, name: str, default: float) -> float:
        """Return a duration in seconds; raises QueryError."""
        text = self.text(name)
        try:
            value = float(text) if text else default
        except ValueError:
            raise QueryError(f"{name} is '{text}': expected seconds") from None
        if not isfinite(value) or not 0 <= value <= _LONGEST_PAUSE_SECONDS:
            raise QueryError(f"{name} is '{text}': expected seconds up to {_LONGEST_PAUSE_SECONDS:.0f}")
        return value

    def size(self, default: int) -> int:
        """Return the size in bytes that `bytes` or `mb` (1,000,000 bytes) asks for; raises QueryError."""
        if self.text("bytes") and self.text("mb"):
            raise QueryError("bytes and mb exclude each other")
        if self.text("mb"):
            size = self.number("mb", 0) * BYTES_PER_MB
            if size > LARGEST_NUMBER:
                raise QueryError(f"mb is '{self.text('mb')}': too much")
            return size
        return self.number("bytes", default)


def parse_target(raw: str) -> Target:
    """Split a URL or a path with a query."""
    parts = urlsplit(raw)
    path = tuple(unquote(segment) for segment in parts.path.split("/") if segment)
    query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    return Target(raw, path, query)
