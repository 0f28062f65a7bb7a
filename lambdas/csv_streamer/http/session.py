"""The HTTP client of a run: raw bodies, guarded addresses, configured proxies and private authorities."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from csv_streamer.settings import Settings

from .address_guard import check_proxied_host, make_public_socket
from .framing import check_framing
from .host_connections import HostConnections

_MAX_HEADER_BYTES = 64 * 1024
"""Of one header field, and of a status line."""


class HttpSession:
    """Sends single requests, directly or through the configured proxy."""

    def __init__(self, direct: aiohttp.ClientSession, proxied: aiohttp.ClientSession, settings: Settings) -> None:
        self._direct = direct
        self._proxied = proxied
        self._proxies = settings.proxies
        self._guarded = not settings.allow_private_hosts
        self.hosts = HostConnections(settings.connections_per_host)

    async def get(self, url: URL, headers: Mapping[str, str], *, redirected: bool) -> aiohttp.ClientResponse:
        """Return the response to one GET; the caller follows redirects.

        ``redirected``: the URL is a server's choice, not the entry's.

        Raises:
            RefusedAddressError: the host's address is not public.
        """
        proxy = self._proxies.choose(url)
        if proxy is None:
            return await self._direct.get(url, headers=headers, allow_redirects=False)
        if self._guarded:
            await check_proxied_host(url.raw_host or "", must_resolve=redirected)
        is_forwarded = url.scheme == "http"  # an HTTPS request is tunnelled, and its headers are not the proxy's
        return await self._proxied.get(
            url,
            headers={**headers, **proxy.headers} if is_forwarded else headers,
            allow_redirects=False,
            proxy=proxy.url,
            proxy_headers=None if is_forwarded else proxy.headers,
        )


@asynccontextmanager
async def open_http_session(settings: Settings) -> AsyncIterator[HttpSession]:
    """Yield the client; its connections are closed at the end."""
    context = await asyncio.to_thread(_trust, settings.ca_bundle) if settings.ca_bundle else True
    guard = None if settings.allow_private_hosts else make_public_socket
    direct = aiohttp.TCPConnector(
        limit=0,  # the run's own settings are the limit
        happy_eyeballs_delay=None,  # addresses are tried one by one, so that a refusal is not lost among failures
        socket_factory=guard,
        ssl=context,
    )
    # Used for proxies alone, which the operator chose and which have private addresses as a rule.
    unguarded = aiohttp.TCPConnector(limit=0, happy_eyeballs_delay=None, ssl=context)
    async with _open(direct, settings) as session, _open(unguarded, settings) as proxied:
        yield HttpSession(session, proxied, settings)


def _open(connector: aiohttp.TCPConnector, settings: Settings) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=min(30, settings.stall_seconds), sock_read=settings.stall_seconds
    )
    return aiohttp.ClientSession(
        connector=check_framing(connector),
        timeout=timeout,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),  # each file has cookies of its own
        read_bufsize=settings.chunk_size,
        headers={"Accept-Encoding": "identity", "User-Agent": "sluice-csv-streamer"},
        max_line_size=_MAX_HEADER_BYTES,
        max_field_size=_MAX_HEADER_BYTES,
    )


def _trust(authorities: str) -> ssl.SSLContext:
    """Return a TLS context that trusts ``authorities``, PEM, in addition to the public ones."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authorities)
    return context
