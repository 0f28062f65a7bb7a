"""Guard against private addresses: a URL must not lead into the VPC, to the host itself or to its metadata service."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohappyeyeballs import AddrInfoType

from csv_streamer.exceptions import RefusedAddressError

_UNICAST = ip_network("2000::/3")
"""The IPv6 range for the internet; outside it are old and special forms that embed IPv4 addresses."""
_NAT64 = ip_network("64:ff9b::/96")
"""Addresses of RFC 6052, with an IPv4 address in their last 32 bits."""


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet.

    For an IPv6 address that embeds an IPv4 address (mapped, 6to4, NAT64), both must be public.
    """
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed not in _UNICAST and parsed not in _NAT64 and not parsed.ipv4_mapped:
        return False
    return all(one.is_global and not one.is_multicast for one in (parsed, *_carried(parsed)))


def _carried(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    nat64 = IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None
    teredo = address.teredo[1] if address.teredo else None
    return [carried for carried in (address.ipv4_mapped, address.sixtofour, nat64, teredo) if carried]


def make_public_socket(info: AddrInfoType) -> socket.socket:
    """Return a socket for one resolved address; aiohttp calls this before every connection.

    The check is here and not in a resolver: literal addresses are never resolved, and two lookups may differ.

    Raises:
        RefusedAddressError: the address is not public.
    """
    family, kind, protocol, _, address = info
    _check(str(address[0]))
    return socket.socket(family=family, type=kind, proto=protocol)


async def check_proxied_host(host: str, *, must_resolve: bool) -> None:
    """Refuse a host of a proxied request if it is, or resolves to, an address that is not public.

    The proxy resolves names by itself, and may be the only one that can: then the proxy's own rules are the guard, but
    only for hosts that an entry names. ``must_resolve``: a server's redirect names this one.

    Raises:
        RefusedAddressError: the address is not public, or cannot be resolved.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        if must_resolve:
            raise RefusedAddressError(
                f"redirected to {host}, whose address cannot be resolved and therefore not checked: refused "
                "(ALLOW_PRIVATE_HOSTS=true would leave it to the proxy)"
            ) from None
        return
    for *_, address in found:
        _check(str(address[0]))


def _check(address: str) -> None:
    if not is_public(address):
        raise RefusedAddressError(
            f"{address} is not a public address: refused (ALLOW_PRIVATE_HOSTS=true would allow it)"
        )
