"""URLs for requests: plain ASCII, with every byte preserved."""

import re
from base64 import b64encode
from urllib.parse import unquote_to_bytes

import idna
from yarl import URL

from csv_streamer.exceptions import FileError

_UNSAFE = re.compile(rb"[^\x21-\x7e]")
"""Bytes that a request line cannot carry: browsers and curl percent-encode them, each as it is."""
_AUTHORITY = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*:)?//([^/?#\\]*)")
_STRIPPED = bytes(range(0x21))
_INVALID = "not a URL that can be fetched"


def parse_url(text: str) -> URL:
    """Return the URL of an entry. ASCII characters stay unchanged, so that a signature remains valid.

    Raises:
        FileError: it has no valid host or port.
    """
    try:
        return _make_url(text.encode())
    except ValueError as error:
        raise FileError(_INVALID, code="url_invalid") from error  # the error's text may quote a password


def parse_location(header: str) -> URL:
    """Return the URL of a ``Location`` header, possibly relative.

    The header is bytes, whatever their encoding; ``header`` has those that are not UTF-8 as surrogates. Each byte that
    a URL cannot have is percent-encoded, as browsers and curl do, so that the server gets back what it sent.

    Raises:
        FileError: its host or port is not valid.
    """
    raw = header.encode("utf-8", "surrogateescape").strip(_STRIPPED)
    try:
        return _make_url(re.sub(rb"[\t\r\n]", b"", raw))
    except ValueError as error:
        raise FileError("redirected to what is not a URL", code="redirect_invalid") from error


def _make_url(raw: bytes) -> URL:
    found = _AUTHORITY.match(raw)
    if not found:
        return URL(_quote(raw), encoded=True)
    userinfo, at, host = found[2].rpartition(b"@")
    scheme = (found[1] or b"").decode()
    authority = f"{_quote(userinfo)}{at.decode()}{_encode_host(host)}"
    url = URL(f"{scheme}//{authority}{_quote(raw[found.end() :])}", encoded=True)
    _ = url.host, url.port  # which raise an error only when they are looked at
    return url


def _quote(raw: bytes) -> str:
    return _UNSAFE.sub(lambda found: b"%%%02X" % ord(found[0]), raw).decode("ascii")


def _encode_host(raw: bytes) -> str:
    """Return a host and port in ASCII; names in other scripts as IDNA has them.

    Raises:
        ValueError: not UTF-8, or not a name that IDNA allows.
    """
    if raw.isascii():
        return raw.decode()
    name, colon, port = raw.decode().partition(":")
    return idna.encode(name, uts46=True).decode() + colon + port


def split_credentials(url: URL) -> tuple[URL, str | None]:
    """Return the URL without its user and password, and the ``Authorization`` header that replaces them."""
    if url.raw_user is None and url.raw_password is None:
        return url, None
    user, password = (unquote_to_bytes(part or "") for part in (url.raw_user, url.raw_password))
    if b":" in user:  # RFC 7617: the first colon is where the password begins
        raise FileError("the URL's user has a colon, which Basic authentication cannot send", code="url_invalid")
    return url.with_user(None), f"Basic {b64encode(user + b':' + password).decode()}"


def canonical_url(text: str) -> str:
    """Return an entry's URL as it is requested, for comparing; the text itself where it cannot be."""
    try:
        return str(parse_url(text))
    except FileError:
        return text
