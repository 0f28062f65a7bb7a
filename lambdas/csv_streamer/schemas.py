"""Plain data types that the modules share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

STATE_PREFIX = ".csv-streamer/"
"""The keys of the function's own objects in the bucket begin with this."""
LEASE_PREFIX = f"{STATE_PREFIX}leases/"
STAGING_PREFIX = f"{STATE_PREFIX}uploads/"

type Status = Literal["success", "failed", "unchanged", "deferred"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """The conditions of an entry on its file; None where it has none."""

    content_types: tuple[str, ...] = ()
    """Media types without parameters, lower case; any where empty."""
    size: int | None = None
    """Bytes, exactly."""
    min_size: int | None = None
    """Bytes, at least."""
    first_line: str | None = None
    """Without its line end and a byte order mark."""
    sha256: str | None = None
    md5: str | None = None
    """These two in lower-case hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file to fetch, as ``file_urls`` of the parameters names it."""

    url: str
    name: str | None = None
    prefix: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content_type: str | None = None
    secret: str | None = None
    """Name or ARN of the secret whose JSON object is merged into ``headers``."""
    expect: Expectation = Expectation()


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of one version of a file (RFC 9110, section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None
    last_modified_is_strong: bool = False

    @property
    def strong(self) -> str | None:
        """Return the value for ``If-Range``, None if there is no strong validator."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified if self.last_modified_is_strong else None


@dataclass(frozen=True, slots=True)
class Head:
    """The metadata of a file in its source's first response."""

    url: str
    """The URL of the response, after redirects."""
    length: int | None
    """Bytes as sent; None if the server does not send it."""
    validators: Validators
    accepts_ranges: bool
    content_type: str | None = None
    content_encoding: str | None = None
    disposition: str | None = None
    """The ``Content-Disposition`` header."""

    @property
    def resumable(self) -> bool:
        """Return whether a range of the same version can be requested."""
        return self.accepts_ranges and self.validators.strong is not None


@dataclass(frozen=True, slots=True)
class Part:
    """A part that has been uploaded to S3."""

    number: int
    offset: int
    size: int
    etag: str
    crc32: str
    """Base64, as S3 takes it."""


@dataclass(slots=True)
class Unfinished:
    """A file that one invocation leaves to the next: an upload, its parts and its source."""

    upload_id: str
    part_size: int
    in_order: bool
    """Whether it is read over one connection; its parts then vary in size and have no gaps."""
    head: Head
    parts: list[Part]
    content: dict[str, Any]
    """The state of the checks up to where the bytes were read: see :class:`.content.Content`."""
    read: dict[str, str] = field(default_factory=dict)
    """CRC-32 of parts before that point that S3 does not have, by number."""


@dataclass(frozen=True, slots=True)
class Task:
    """An entry, its index among the entries, and what earlier invocations did for it."""

    index: int
    entry: Entry
    key: str | None = None
    unfinished: Unfinished | None = None


@dataclass(slots=True)
class FileResult:
    """The result of one file."""

    url: str
    """Without credentials and query values."""
    status: Status
    s3_key: str | None = None
    bytes: int = 0
    """Bytes of the whole file, once stored."""
    parts: int = 0
    error: str | None = None
    sha256: str | None = None
    """Of a stored file's bytes, hexadecimal."""
    warnings: tuple[str, ...] = ()
    code: str | None = None
    """The kind of error, for programs."""

    def as_dict(self) -> dict[str, Any]:
        """Return the result for the response, without empty fields."""
        result = {name: getattr(self, name) for name in ("url", "s3_key", "bytes", "parts", "status")}
        said = {name: getattr(self, name) for name in ("sha256", "error", "code") if getattr(self, name)}
        return result | said | ({"warnings": list(self.warnings)} if self.warnings else {})
