"""No spelling of an address, no name and no redirect leads to where a run must not fetch from."""

import asyncio
import json
import socket
from collections.abc import Iterator
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_streamer.exceptions import FileError, RefusedAddressError
from csv_streamer.http import address_guard as addresses
from csv_streamer.http.address_guard import is_public, make_public_socket
from csv_streamer.http.session import open_http_session
from csv_streamer.http.source import Source
from csv_streamer.settings import Settings
from tests.support.sample_server import run_sample_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with run_sample_server() as address:
        yield address


def fetch(url: str, *, allow_private: bool = False) -> int:
    variables = {"BUCKET_NAME": "b", "ALLOW_PRIVATE_HOSTS": str(allow_private)}

    async def ask() -> int:
        async with (
            open_http_session(Settings.from_environment(variables)) as web,
            Source(web, url, {}).get({}) as response,
        ):
            return response.status

    return asyncio.run(asyncio.wait_for(ask(), 30))


def count_requests(server: str, token: str) -> int:
    with urlopen(f"{server}/requests/{token}") as answer:
        return len(json.load(answer))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # unspecified: the host itself on Linux
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",  # the metadata service
        "169.254.170.2",  # the credentials of containers
        "100.64.0.1",
        "100.127.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_no_other_ipv4_address_is_public_nor_any_form_that_carries_it(address: str) -> None:
    high, low = (int.from_bytes(socket.inet_aton(address)[at : at + 2]) for at in (0, 2))
    forms = {
        "plain": address,
        "mapped": f"::ffff:{address}",
        "compatible": f"::{address}",
        "translated": f"::ffff:0:{address}",
        "6to4": f"2002:{high:x}:{low:x}::1",
        "NAT64": f"64:ff9b::{address}",
        "local NAT64": f"64:ff9b:1::{address}",
        "Teredo": f"2001:0:808:808:0:0:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",
    }
    assert [form for form, written in forms.items() if is_public(written)] == []


@pytest.mark.parametrize(
    "address",
    [
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",  # the metadata service
        "ff02::1",
        "ff0e::1",
        "100::1",
        "2001:db8::1",
        "5f00::1",
        "::ffff:127.0.0.1%1",
    ],
)
def test_no_other_ipv6_address_is_public(address: str) -> None:
    assert not is_public(address)


@settings(deadline=None)
@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="100.64.0.0/10"))
def test_private_networks_are_refused_to_their_last_address(address: object) -> None:
    assert not is_public(str(address))


def test_refusal_names_the_address_and_the_setting() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 80))
    with pytest.raises(RefusedAddressError, match=r"10\.1\.2\.3 .*ALLOW_PRIVATE_HOSTS"):
        make_public_socket(info)


def test_public_address_gets_a_socket() -> None:
    info = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:4700::1111", 80, 0, 0))
    with make_public_socket(info) as made:
        assert (made.family, made.type) == (socket.AF_INET6, socket.SOCK_STREAM)


GUARDED = ["127.0.0.1", "0x7f000001", "0x7f.1", "0x7F.0.0x1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"]
NOT_TAKEN_FOR_HOSTS = ["127.1", "2130706433", "0177.0.0.1", "017700000001", "0"]
"""The HTTP library refuses these before the guard sees them."""


@pytest.mark.parametrize("host", GUARDED + NOT_TAKEN_FOR_HOSTS)
def test_host_that_is_the_function_itself_is_refused_however_it_is_written(server: str, host: str) -> None:
    token = "".join(letter if letter.isalnum() else "_" for letter in f"refused_{host}")
    url = f"http://{host}:{urlsplit(server).port}/files/units.csv?bytes=10&token={token}"
    problem = "not a public address" if host in GUARDED else "not a URL that can be fetched"
    with pytest.raises(FileError, match=problem):
        fetch(url)
    assert count_requests(server, token) == 0


@pytest.mark.parametrize("host", GUARDED)
def test_the_same_hosts_can_be_reached_where_that_is_allowed(server: str, host: str) -> None:
    assert fetch(f"http://{host}:{urlsplit(server).port}/files/units.csv?bytes=10", allow_private=True) == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://0xA9FEA9FE/",
        "https://[fd00:ec2::254]/",
        "http://[fe80::1%25lo]/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://100.64.0.1:8080/",
        "http://user:secret@192.168.0.1/",
    ],
)
def test_private_addresses_are_refused_without_a_connection(url: str) -> None:
    with pytest.raises(RefusedAddressError, match="not a public address"):
        fetch(url)


@pytest.fixture
def loopback_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's server stands for one on the internet; everything else is judged as ever."""
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1" or is_public(address))


@pytest.mark.usefixtures("loopback_is_public")
@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://[::ffff:169.254.169.254]/",
        "//169.254.169.254/",
        "http://10.0.0.1:8080/",
        "http://[::1]/",
        "https://[fd00:ec2::254]/",
        "http://0.0.0.0/",
    ],
)
@pytest.mark.parametrize("hops", [0, 2])
def test_redirect_to_a_private_address_is_refused(server: str, target: str, hops: int) -> None:
    with pytest.raises(RefusedAddressError, match="not a public address"):
        fetch(f"{server}/hostile/redirect?hops={hops}&to={quote(target, safe='')}")


@pytest.mark.usefixtures("loopback_is_public")
def test_redirect_to_a_public_address_is_followed(server: str) -> None:
    target = quote(f"{server}/files/units.csv?bytes=10", safe="")
    assert fetch(f"{server}/hostile/redirect?hops=2&to={target}") == 200
