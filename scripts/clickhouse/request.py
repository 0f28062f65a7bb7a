"""An HTTP request: query, credentials, settings and parameters from its URL and headers."""

import base64
import binascii
from dataclasses import dataclass
from email.message import Message
from urllib.parse import parse_qsl, urlsplit

from clickhouse.engine import QueryContext
from clickhouse.errors import make_error

# Parameters of the interface itself; all others are settings. Those about sessions and about waiting for the end have
# no effect here: each query has its own session, and a response is complete before it is sent.
_RESERVED = frozenset({
    "query", "database", "default_format", "user", "password", "query_id", "session_id", "session_timeout",
    "session_check", "close_session", "quota_key", "role", "stacktrace", "buffer_size", "wait_end_of_query",
    "client_protocol_version", "compress", "decompress", "http_method",
})  # fmt: skip
_PARAMETER = "param_"


@dataclass(frozen=True)
class Credentials:
    """A user and a password."""

    user: str
    password: str


@dataclass(frozen=True)
class Request:
    """A request without its body."""

    path: str
    query: bytes
    conditions: QueryContext
    credentials: Credentials
    default_format: str
    query_id: str
    wants_compression: bool


def read_request(target: str, headers: Message, *, is_get: bool) -> Request:
    """Read a request's target and headers; raises ClickHouseError for unsupported parameters and credentials."""
    parts = urlsplit(target)
    fields = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in ("compress", "decompress"):
        if fields.get(name, "0") not in {"0", "false"}:
            raise make_error(48, "NOT_IMPLEMENTED", f"The offline ClickHouse does not support {name}=1")
    settings = {name: value for name, value in fields.items() if _is_setting(name)}
    parameters = {name.removeprefix(_PARAMETER): fields[name] for name in fields if name.startswith(_PARAMETER)}
    database = fields.get("database") or headers.get("X-ClickHouse-Database") or ""
    return Request(
        path=parts.path or "/",
        query=fields.get("query", "").encode(),
        conditions=QueryContext(database, settings, parameters, read_only=is_get),
        credentials=_read_credentials(fields, headers),
        default_format=fields.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated",
        query_id=fields.get("query_id", ""),
        wants_compression=settings.get("enable_http_compression", "0") in {"1", "true"},
    )


def _is_setting(name: str) -> bool:
    return name not in _RESERVED and not name.startswith(_PARAMETER)


def _read_credentials(fields: dict[str, str], headers: Message) -> Credentials:
    """Return a request's user and password; raises ClickHouseError if it has several pairs."""
    given = []
    if "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers:
        given.append(Credentials(headers.get("X-ClickHouse-User", "default"), headers.get("X-ClickHouse-Key", "")))
    if "Authorization" in headers:
        given.append(_read_basic(headers["Authorization"]))
    if "user" in fields or "password" in fields:
        given.append(Credentials(fields.get("user", "default"), fields.get("password", "")))
    if len(given) > 1:
        reason = "Invalid authentication: credentials are given in more than one way (headers, Basic, parameters)"
        raise make_error(516, "AUTHENTICATION_FAILED", reason)
    return given[0] if given else Credentials("default", "")


def _read_basic(header: str) -> Credentials:
    scheme, _, encoded = header.partition(" ")
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if scheme.lower() != "basic" or not colon:
        raise make_error(516, "AUTHENTICATION_FAILED", "Invalid authentication: not Basic credentials")
    return Credentials(user, password)
