"""HTTP headers: content negotiation, conditional requests, file names and dates."""

import re
import unicodedata
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote

from dataset_download.query.parameters import Query

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_MAX_FILE_NAME = 150
_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_NOT_IN_TOKEN = re.compile(r"[^A-Za-z0-9._=,+-]+")


def read_encodings(header: str) -> dict[str, float]:
    """Return the content codings of an ``Accept-Encoding`` with their weights; malformed entries are ignored."""
    weights: dict[str, float] = {}
    for entry in header.split(","):
        coding, _, parameters = entry.strip().partition(";")
        name, _, value = parameters.strip().partition("=")
        weight = 1.0
        if name.strip().lower() == "q":
            if not _QUALITY.fullmatch(value.strip()):
                continue
            weight = float(value.strip())
        if coding.strip():
            weights[coding.strip().lower()] = weight
    return weights


def choose_encoding(header: str | None, *, compressible: bool) -> str | None:
    """Return ``gzip`` or ``identity``, or None if the caller accepts neither; unknown codings are ignored."""
    weights = read_encodings(header or "")
    others = weights.get("*")
    listed = [weights[name] for name in ("gzip", "x-gzip") if name in weights]
    gzip = max(listed, default=others or 0)
    identity = weights.get("identity", 1.0 if others is None else others)
    # A client that lists gzip but not identity prefers gzip, whatever its weight.
    if compressible and gzip and ("identity" not in weights or gzip >= identity):
        return "gzip"
    return "identity" if identity else None


def matches(header: str | None, tag: str) -> bool:
    """Return whether an ``If-None-Match`` matches ``tag`` (without quotes).

    The tag of an encoded response is ``tag``, a hyphen and the coding. Either of them matches.
    """
    if not header:
        return False
    if header.strip() == "*":
        return True
    return any(found in {tag, f"{tag}-gzip"} for found in _TAG.findall(header))


def is_unmodified(header: str | None, last_modified: datetime) -> bool:
    """Return whether ``last_modified`` is not after an ``If-Modified-Since``; an invalid date is ignored."""
    try:
        since = parsedate_to_datetime(header or "")
    except ValueError:
        return False
    # HTTP dates have whole seconds and are in UTC, even without a zone.
    return last_modified.astimezone(UTC).replace(microsecond=0) <= (
        since if since.tzinfo else since.replace(tzinfo=UTC)
    )


def format_time(time: datetime) -> str:
    """Return a time in HTTP format."""
    return format_datetime(time.astimezone(UTC), usegmt=True)


def name_file(dataset: str, query: Query, extension: str) -> str:
    """Return the file name of a download: the dataset, its filters, the extension."""
    parts = [dataset]
    for condition in query.filters:
        operator = [] if condition.operator == "eq" else [condition.operator]
        parts.append("-".join([condition.column, *operator, *condition.texts]))
    if query.offset:
        parts.append(f"offset-{query.offset}")
    if query.limit is not None:
        parts.append(f"limit-{query.limit}")
    stem = "".join(_keep(character) for character in "_".join(parts))[:_MAX_FILE_NAME].rstrip(" .")
    return f"{stem}.{extension}"


def _keep(character: str) -> str:
    is_name = unicodedata.category(character)[0] in "LNM" or character in "-_=,+"
    return character if is_name or character == "." else "-"


def attach(filename: str) -> str:
    """Return the ``Content-Disposition`` of a download, with its name in ASCII and, if that differs, in UTF-8."""
    plain = _NOT_IN_TOKEN.sub("_", unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode())
    value = f'attachment; filename="{plain}"'
    return value if plain == filename else f"{value}; filename*=UTF-8''{quote(filename, safe='')}"


def format_iso(time: datetime) -> str:
    """Return a time in ISO 8601 format, in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
