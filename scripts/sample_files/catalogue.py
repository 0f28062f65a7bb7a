"""The content of each URL, used by the server and by the tests that check what they received."""

import gzip
import hashlib
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import lru_cache

from sample_files.bodies import Body, BytesBody, CsvBody, RandomBody, hash_body, read_all
from sample_files.target import BYTES_PER_MB, QueryError, Target, parse_target

HOSTILE = "hostile"
_WITHOUT_CONTENT = {"echo", "endless", "redirect", "redirect-loop"}
DEMO_FILES = {
    "rent_contracts": 220 * BYTES_PER_MB,
    "transactions": 60 * BYTES_PER_MB,
    "units": 24 * BYTES_PER_MB,
    "buildings": 6 * BYTES_PER_MB,
    "projects": 1_500_000,
    "developers": 180_000,
}
"""Sizes in bytes of the files that `/` lists: what /files/<name>.csv has without a query."""
_DEFAULT_BYTES = BYTES_PER_MB
_LARGEST_GZIP = 200 * BYTES_PER_MB
_FIRST_MODIFIED = 1_748_736_000  # 2025-06-01 00:00 UTC
_VERSION_SECONDS = 3_600


@dataclass(frozen=True)
class Resource:
    """A body with the validators and headers that it is served with."""

    body: Body
    etag: str
    """Quoted; weak if it begins with W/, none if empty."""
    modified: int
    """Unix time, 0 for none."""
    content_type: str
    content_encoding: str = ""

    @property
    def last_modified(self) -> str:
        """Return the time as an HTTP date, empty for none."""
        return formatdate(self.modified, usegmt=True) if self.modified else ""


def find_resource(target: Target, *, newer: int = 0) -> Resource | None:
    """Return the resource at a URL, None if the URL has no content; `newer` counts versions after the requested one.

    Raises QueryError.
    """
    match target.path:
        case ("hostile", case, *_) if case in _WITHOUT_CONTENT:
            return None
        case ("files", file) if file.endswith(".csv"):
            return _make_resource(target, file, newer)
        case ("files", size, file) if file.endswith(".csv") and size.isdecimal():
            # For clients that list names and cannot say ?bytes=.
            return _make_resource(replace(target, query={**target.query, "bytes": size}), file, newer)
        case ("random",) | ("hostile", _):
            return _make_resource(target, "", newer)
        case ("hostile", _, file):
            return _make_resource(target, file, newer)
        case _:
            return None


def _make_resource(target: Target, file: str, newer: int) -> Resource:
    case = target.path[1] if target.path[0] == HOSTILE else ""
    version = target.number("version", 1) + newer
    body: Body
    if case == "empty":
        body = BytesBody(b"")
    elif file.endswith(".csv"):
        name = file.removesuffix(".csv")
        body = CsvBody(name, target.size(DEMO_FILES.get(name, _DEFAULT_BYTES) if not case else _DEFAULT_BYTES), version)
    else:
        body = RandomBody(f"{target.text('seed', '1')}:{version}", target.size(_DEFAULT_BYTES))
    encoding = ""
    if case == "gzip":
        body, encoding = _compress(body), "gzip"
    kind = target.choice("validator", "strong", "weak", "time", "none")
    identity = f"{case}|{file}|{version}|{body.size}|{target.text('seed')}"
    mark = hashlib.sha256(identity.encode()).hexdigest()[:24]
    etag = {"strong": f'"{mark}"', "weak": f'W/"{mark}"'}.get(kind, "")
    modified = 0 if kind == "none" else _FIRST_MODIFIED + version * _VERSION_SECONDS
    content_type = "text/csv; charset=utf-8" if file.endswith(".csv") else "application/octet-stream"
    return Resource(body, etag, modified, content_type, encoding)


@lru_cache(maxsize=8)
def _compress(body: Body) -> Body:
    if body.size > _LARGEST_GZIP:
        raise QueryError(f"at most {_LARGEST_GZIP} bytes by gzip")
    return BytesBody(gzip.compress(read_all(body), 1, mtime=0))


def _find_expected(address: str) -> Body:
    target = parse_target(address)
    if target.path[:2] == (HOSTILE, "redirect") and target.text("to"):
        return _find_expected(target.text("to"))
    resource = find_resource(target, newer=target.number("changes", 0))
    if resource is None:
        raise QueryError(f"no content is known at {address}")
    return resource.body


def expected_body(address: str) -> bytes:
    """Return the bytes that a correct client ends with, for a URL or a path with a query.

    Where the content changes under way that is the last version; behind redirects it is the last target's.
    Raises QueryError where there is no content, or its query is wrong.
    """
    return read_all(_find_expected(address))


def expected_sha256(address: str) -> str:
    """Return the SHA-256 in hexadecimal of `expected_body`, without holding the bytes."""
    return hash_body(_find_expected(address))


def expected_size(address: str) -> int:
    """Return the length in bytes of `expected_body`."""
    return _find_expected(address).size
