"""Parser of a run's entries, from the event or from ``config/parameters.json``."""

import json
import re
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from csv_streamer.exceptions import CsvStreamerError, EntryError, EventError, ParametersError
from csv_streamer.schemas import Entry

from .expectations import DIGESTS, parse_expectation
from .keys import check_name

PARAMETERS_KEY = "config/parameters.json"

_TEXTS = ("name", "prefix", "content_type", "secret")
_FIELDS = {"url", "headers", "expect", "size", *DIGESTS, *_TEXTS}
_MISSPELLINGS = {"fileurl", "fileurls", "url", "urls", "file", "files"}
"""Event keys, reduced to their letters, that can only be misspellings of ``file_urls``."""
_MAX_URL = 8192
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110
_RESERVED_HEADERS = {
    *("range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "accept-encoding"),
    *("host", "connection", "content-length", "transfer-encoding", "expect", "te", "trailer", "upgrade"),
}
"""Headers that the streamer sets itself, or that delimit messages."""


def read_event(event: object) -> list[Any] | None:
    """Return the entries of an event's own ``file_urls``, None where the event leaves them to the parameters object.

    Raises:
        EventError: not an object, ``file_urls`` is not a list, or a key is a misspelt ``file_urls``.
    """
    if event is None:
        return None
    if not isinstance(event, dict):
        raise EventError('the event is not a JSON object like {"file_urls": ["https://…"]}')
    if "file_urls" in event:
        return _read_list(event["file_urls"], "the event", EventError)
    misspelt = [key for key in event if re.sub(r"[^a-z]", "", str(key).lower()) in _MISSPELLINGS]
    if misspelt:
        raise EventError(f"the event has {misspelt[0]!r}: a run's own files are listed in file_urls")
    return None


def parse_parameters(raw: bytes) -> list[Any]:
    """Return the unparsed entries of ``file_urls``; a missing list counts as empty.

    Raises:
        ParametersError: not a JSON object, or ``file_urls`` is not a list.
    """
    try:
        parameters = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ParametersError(f"{PARAMETERS_KEY} is not JSON: {error}") from error
    if not isinstance(parameters, dict):
        raise ParametersError(f'{PARAMETERS_KEY} is not a JSON object like {{"file_urls": ["https://…"]}}')
    return _read_list(parameters.get("file_urls"), PARAMETERS_KEY, ParametersError)


def _read_list(entries: object, where: str, error: type[CsvStreamerError]) -> list[Any]:
    if entries is not None and not isinstance(entries, list):
        raise error(f"file_urls in {where} is not a list")
    return entries or []


def parse_entry(raw: object) -> Entry:
    """Return one entry, parsed from a URL or from an object with ``url`` and further fields.

    Raises:
        EntryError: naming what is wrong with it.
    """
    fields: dict[str, Any] = {"url": raw} if isinstance(raw, str) else dict(_check_object(raw))
    fields["url"] = _check_url(fields.get("url"))
    for name in _TEXTS:
        if not isinstance(fields.get(name), str | None) or fields.get(name) == "":
            raise EntryError(f"{name} is not a non-empty string")
    content_type = fields.get("content_type") or ""
    if not (content_type.isascii() and content_type.isprintable()):
        raise EntryError("content_type is not printable ASCII")
    if fields.get("name"):
        check_name(fields["name"])
    headers = fields.get("headers") or {}
    check_headers(headers, "headers")
    declared = {name: fields.pop(name) for name in ("size", *DIGESTS) if name in fields}
    expect = parse_expectation(fields.get("expect"), declared)
    return Entry(**{**fields, "headers": headers, "expect": expect})


def _check_object(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise EntryError("neither a URL nor an object with a url")
    unknown = sorted(set(raw) - _FIELDS)
    if unknown:
        raise EntryError(f"unknown: {', '.join(map(ascii, unknown))}; known are {', '.join(sorted(_FIELDS))}")
    return raw


def _check_url(url: object) -> str:
    """Return the URL without spaces at its ends."""
    if not isinstance(url, str):
        raise EntryError("url is missing" if url is None else "url is not a string")
    url = url.strip(" ")
    if len(url) > _MAX_URL or any(character < " " or character == "\x7f" for character in url):
        raise EntryError(f"url is longer than {_MAX_URL} characters or holds control characters")
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0 and " " not in parts.netloc
        url.encode()
    except ValueError:  # its text may quote a password
        raise EntryError("url has a host, a port or characters that are not valid") from None
    if parts.scheme not in {"http", "https"} or not valid:
        raise EntryError("url is not an http:// or https:// URL with a host")
    return url


def check_headers(headers: object, where: str) -> dict[str, str]:
    """Return the headers of an entry or a secret after checking that a request can carry them.

    Raises:
        EntryError: naming the header, never its value.
    """
    if not isinstance(headers, dict):
        raise EntryError(f"{where} is not an object of strings")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _RESERVED_HEADERS:
            raise EntryError(f"{where}: {name!r} is not a header that can be set here")
        if not isinstance(value, str) or not value.isprintable():
            raise EntryError(f"{where}: the value of {name!r} is not a printable string")
    return headers


def describe_url(url: str) -> str:
    """Return a URL that may be logged and kept: no credentials, no query values, ASCII only."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
        port = f":{parts.port}" if parts.port else ""
        path = quote(parts.path, safe="/%:@!$&'()*+,;=~")
        query = "&".join(f"{quote(name, safe='%')}=" for name in _name_values(parts.query))
    except ValueError:
        return "(not a URL)"
    if not host:  # the text before an @ is probably a password then
        return "(not a URL)"
    host = f"[{host}]" if ":" in host else host
    return urlunsplit((quote(parts.scheme), f"{quote(host, safe='[]:%')}{port}", path, query, ""))


def _name_values(query: str) -> list[str]:
    """Return the parameter names of a query, without those that lack a value: they may be tokens."""
    pairs = (pair.partition("=") for pair in query.split("&"))
    return [name for name, _, value in pairs if value.strip("=")]
