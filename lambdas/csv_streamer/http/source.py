"""Requests for one file on an HTTP server: redirects, credentials, ranges, transient and permanent failures."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from yarl import URL

from csv_streamer.exceptions import CsvStreamerError, FileError, RangeRefusedError, SourceBrokeError, SourceChangedError
from csv_streamer.inputs.urls import parse_location, parse_url, split_credentials
from csv_streamer.schemas import Head, Validators

from .framing import MisframedError, NotHttpError
from .session import HttpSession

_MAX_REDIRECTS = 20
"""The limit of browsers."""
_REDIRECTS = {301, 302, 303, 307, 308}
_TRANSIENT_STATUSES = {408, 425, 429}
_UNSUPPORTED_STATUSES = {HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}
_STRONG_AFTER_SECONDS = 60
"""Age of a file whose Last-Modified is a strong validator (RFC 9110, 8.8.2.2)."""
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Target:
    """The requested URL without user and password, and their ``Authorization`` header."""

    url: URL
    authorization: str | None
    is_ours: bool = True
    """Whether no redirect left the entry's own origin (or its HTTPS form)."""
    redirected: bool = False


class Source:
    """A URL and its headers; the cookies of its servers live as long as this object."""

    def __init__(self, web: HttpSession, url: str, headers: Mapping[str, str]) -> None:
        """``headers``: the entry's own, which go to its origin (and the origin's HTTPS form) and no other.

        Raises:
            FileError: the URL cannot be requested, or has credentials in addition to an ``Authorization`` header.
        """
        self._web = web
        self._start = _Target(*split_credentials(parse_url(url)))
        if self._start.authorization and any(name.lower() == "authorization" for name in headers):
            raise FileError("the URL has credentials, and there is an Authorization header too", code="url_invalid")
        self._headers = headers
        self._cookies = aiohttp.CookieJar(unsafe=True)  # a host may be an address
        self._resolved: _Target | None = None
        self.host = web.hosts.name(self._start.url)
        """The host of the last request, as its connections are counted."""

    @asynccontextmanager
    async def get(
        self, conditions: Mapping[str, str], *, wait: bool = True, alone: bool = False
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the response to a GET with further headers: 200, 206 or 304; the connection is closed if it is unread.

        ``wait``: whether to wait if the host's connections are all in use. ``alone``: as for
        :meth:`.host_connections.HostConnections.take`.

        Raises:
            FileError: the server refuses the request, or redirects to a forbidden address.
            SourceBrokeError: a transient failure.
            RangeRefusedError: the server does not send this range.
            HostBusyError: the host's connections are all in use.
        """
        try:
            response = await self._follow(conditions, wait=wait, alone=alone)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _describe(error) from error
        except ValueError as error:  # what the library only finds when it makes the request; its text may quote any
            raise FileError("the URL's host or port cannot be used", code="url_invalid") from error
        host = self.host
        try:
            _check_status(response, conditions)
            yield response
        finally:
            response.close()
            self._web.hosts.give_back(host)

    async def _follow(self, conditions: Mapping[str, str], *, wait: bool, alone: bool) -> aiohttp.ClientResponse:
        """Send the request and follow redirects; the final host then has one more connection."""
        remembered = self._resolved
        target = remembered or self._start
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._request(target, conditions, wait=wait, alone=alone)
            if response.status not in _REDIRECTS or "Location" not in response.headers:
                # The next range skips the redirects; after a failure they are followed again.
                was_led = target is not self._start and response.status < HTTPStatus.BAD_REQUEST
                self._resolved = target if was_led else None
                if remembered is None or not _is_refusal(response.status):
                    return response
                self._close(response)
                # The target of a redirect is often signed for a few minutes only.
                return await self._follow(conditions, wait=wait, alone=alone)
            self._close(response)
            target = self._read_location(target, response)
        raise FileError(f"more than {_MAX_REDIRECTS} redirects", code="too_many_redirects")

    async def _request(
        self, target: _Target, conditions: Mapping[str, str], *, wait: bool, alone: bool
    ) -> aiohttp.ClientResponse:
        self.host = self._web.hosts.name(target.url)
        await self._web.hosts.take(self.host, wait=wait, alone=alone)
        try:
            response = await self._web.get(
                target.url, self._make_headers(target, conditions), redirected=target.redirected
            )
        except BaseException:
            self._web.hosts.give_back(self.host)
            raise
        self._cookies.update_cookies(response.cookies, target.url)
        return response

    def _close(self, response: aiohttp.ClientResponse) -> None:
        response.close()
        self._web.hosts.give_back(self.host)

    def _make_headers(self, target: _Target, conditions: Mapping[str, str]) -> dict[str, str]:
        """Return the request's headers; the entry's headers are sent to its own origin only."""
        headers = dict(self._headers) if target.is_ours else {}
        if target.authorization:
            headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            headers["Authorization"] = target.authorization
        if cookies := self._cookies.filter_cookies(target.url):
            own = [headers.pop(name) for name in list(headers) if name.lower() == "cookie"]
            headers["Cookie"] = "; ".join([*own, *(f"{one.key}={one.coded_value}" for one in cookies.values())])
        return {**headers, **conditions}

    def _is_own_origin(self, url: URL) -> bool:
        """Return whether a URL has the entry's own origin, or its HTTPS form."""
        start = self._start.url
        return url.origin() == start.origin() or (
            start.scheme == "http"
            and url.scheme == "https"
            and url.host == start.host
            and url.is_default_port()
            and start.is_default_port()
        )

    def _read_location(self, target: _Target, response: aiohttp.ClientResponse) -> _Target:
        joined = target.url.join(parse_location(response.headers["Location"]))
        if joined.scheme not in {"http", "https"} or not joined.host:
            scheme = joined.scheme or "nameless"
            raise FileError(f"redirected to a {scheme}: URL, which is not fetched", code="redirect_invalid")
        url, authorization = split_credentials(joined)
        is_ours = target.is_ours and self._is_own_origin(url)
        if authorization is None and (is_ours or url.origin() == target.url.origin()):
            authorization = target.authorization
        return _Target(url, authorization, is_ours, redirected=True)

    def forget_redirect(self) -> None:
        """Forget the target of the redirects, which may have expired."""
        self._resolved = None


def _is_refusal(status: int) -> bool:
    """Return whether a status means that the request itself is wrong."""
    lasting = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _TRANSIENT_STATUSES
    return lasting and status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


def _check_status(response: aiohttp.ClientResponse, conditions: Mapping[str, str]) -> None:
    status = response.status
    accepted = {HTTPStatus.OK}
    if "Range" in conditions:
        accepted.add(HTTPStatus.PARTIAL_CONTENT)
    if "If-None-Match" in conditions or "If-Modified-Since" in conditions:
        accepted.add(HTTPStatus.NOT_MODIFIED)
    if status in accepted:
        return
    phrase = f"HTTP {status} {HTTPStatus(status).phrase}" if status in HTTPStatus else f"HTTP {status}"
    passes = status in _TRANSIENT_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if "Range" in conditions and (not passes or status in _UNSUPPORTED_STATUSES):
        raise RangeRefusedError(f"the server refuses a range of the file: {phrase}")
    if passes:
        raise SourceBrokeError(phrase, _parse_retry_after(response.headers.get("Retry-After")), status=status)
    raise FileError(phrase, code="http_status", status=status)


def _parse_retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    moment = _parse_date(value)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment else None


def _parse_date(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _describe(error: Exception) -> CsvStreamerError:  # noqa: PLR0911  # a list of cases
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = f"the server's certificate is not valid: {error.certificate_error}"
            return FileError(reason, code="certificate_invalid")
        case aiohttp.InvalidURL():
            return FileError("not a URL that can be fetched", code="url_invalid")
        case TimeoutError():
            return SourceBrokeError("the connection stalled")
        case MisframedError():
            return FileError(f"the server's response is not valid HTTP: {error}", code="answer_invalid")
        case NotHttpError():
            return SourceBrokeError(f"no valid HTTP response ({error})")
        case aiohttp.ClientHttpProxyError():
            return _describe_proxy(error.status)
        case aiohttp.ClientProxyConnectionError():
            return SourceBrokeError(f"no connection to the proxy: {error.os_error.strerror or error.os_error}")
        case aiohttp.ClientConnectorError():
            return SourceBrokeError(f"no connection: {error.os_error.strerror or error.os_error}")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientOSError():
            return SourceBrokeError("the connection was dropped")
        case _:
            return SourceBrokeError(f"no valid HTTP response ({type(error).__name__})")


def _describe_proxy(status: int) -> CsvStreamerError:
    reason = f"the proxy refused the connection: HTTP {status}"
    if status in _TRANSIENT_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SourceBrokeError(reason)
    return FileError(reason, code="proxy_refused")


async def read_body(response: aiohttp.ClientResponse, chunk_size: int) -> AsyncGenerator[bytes]:
    """Yield a response's body as it arrives, at most ``chunk_size`` bytes at a time.

    Raises:
        SourceBrokeError: the connection broke or stalled before the body's end.
        FileError: the body is not valid HTTP.
    """
    try:
        async for chunk in response.content.iter_chunked(chunk_size):
            yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        # aiohttp reports the break at once, although earlier bytes are still buffered. Without them, a reader that
        # is a megabyte behind a server that drops every megabyte would make no progress.
        response.content.set_exception(None)  # type: ignore[arg-type]  # nothing else lets the rest be read
        if rest := response.content.read_nowait():
            yield rest
        raise _describe(error) from error


def read_head(response: aiohttp.ClientResponse) -> Head:
    """Return the file's metadata from a first response."""
    headers = response.headers
    length = headers.get("Content-Length", "")
    modified, sent = _parse_date(headers.get("Last-Modified")), _parse_date(headers.get("Date"))
    age = (sent - modified).total_seconds() if sent and modified else 0
    return Head(
        url=str(response.url),
        length=int(length) if length.isdecimal() and "Transfer-Encoding" not in headers else None,
        validators=Validators(
            etag=_take_plain(headers.get("ETag")),
            last_modified=_take_plain(headers.get("Last-Modified")),
            last_modified_is_strong=age >= _STRONG_AFTER_SECONDS,
        ),
        accepts_ranges="bytes" in headers.get("Accept-Ranges", "").lower(),
        content_type=headers.get("Content-Type"),
        content_encoding=_take_plain(headers.get("Content-Encoding")),
        disposition=headers.get("Content-Disposition"),
    )


def _take_plain(value: str | None) -> str | None:
    """Return a header value if another request can carry it, else None."""
    return value if value and value.isascii() and value.isprintable() else None


def check_range(response: aiohttp.ClientResponse, head: Head, start: int) -> int:
    """Return the file's length after checking that a partial response states it and continues the same version.

    Raises:
        RangeRefusedError: the server sends the whole of this version instead.
        SourceChangedError: the response does not continue this version.
    """
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        whole = read_head(response)
        if whole.validators.strong == head.validators.strong and whole.length == head.length:
            raise RangeRefusedError("the server does not send ranges of it")
        raise SourceChangedError("the file changed, or the server does not send ranges of it")
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != start:
        raise SourceChangedError("the server sent another range than requested")
    length = head.length if found[3] == "*" else int(found[3])
    if length is None:  # the response may end before the file does
        raise SourceChangedError("the server does not say where the file ends")
    if head.length not in {None, length} or not _is_same_version(response, head.validators):
        raise SourceChangedError("the file changed while it was fetched")
    return length


def _is_same_version(response: aiohttp.ClientResponse, known: Validators) -> bool:
    """Return whether a response to ``If-Range`` has the requested version, as far as its headers tell."""
    headers = response.headers
    if headers.get("ETag", known.etag) != known.etag:
        return False
    relied_on_date = known.strong == known.last_modified
    return not relied_on_date or headers.get("Last-Modified", known.last_modified) == known.last_modified
