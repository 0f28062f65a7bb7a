"""Requests go through the proxy that the environment names, and the address guard holds for what they ask of it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from csv_streamer.exceptions import FileError, RefusedAddressError, SourceBrokeError
from csv_streamer.http.session import open_http_session
from csv_streamer.http.source import Source
from csv_streamer.settings import Settings
from tests.unit.csv_streamer.http.raw_requests import OK, answering, run


async def fetch(url: str, **variables: str) -> bytes:
    settings = Settings.from_environment({"BUCKET_NAME": "b", **variables})
    async with open_http_session(settings) as web, Source(web, url, {"X-Own": "1"}).get({}) as response:
        return await response.read()


async def fetch_through(url: str, *answers: bytes, **variables: str) -> list[bytes]:
    """What a proxy is asked that answers by itself."""
    async with answering(*(answers or (OK,))) as (proxy, requests):
        await fetch(url, HTTP_PROXY=proxy.replace("//", "//user:p%40ss@"), **variables)
        return requests


def test_proxy_is_asked_for_the_whole_address_though_its_own_is_private() -> None:
    (request,) = run(fetch_through("http://93.184.215.14/a.csv?b=1"))
    assert request.startswith(b"GET http://93.184.215.14/a.csv?b=1 HTTP/1.1")
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNz" in request
    assert b"X-Own: 1" in request


def test_name_that_only_the_proxy_can_resolve_is_left_to_it() -> None:
    (request,) = run(fetch_through("http://files.example.invalid/a.csv"))
    assert b"Host: files.example.invalid" in request


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "localhost"])
def test_private_host_is_refused_before_the_proxy_is_asked(host: str) -> None:
    async def play() -> list[bytes]:
        async with answering(OK) as (proxy, requests):
            with pytest.raises(RefusedAddressError):
                await fetch(f"http://{host}/a.csv", HTTP_PROXY=proxy)
            return requests

    assert run(play()) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "metadata.example.invalid"])
def test_redirect_to_what_cannot_be_checked_is_refused(host: str) -> None:
    redirect = f"HTTP/1.1 302 Found\r\nLocation: http://{host}/x\r\nContent-Length: 0\r\n\r\n".encode()
    with pytest.raises(RefusedAddressError):
        run(fetch_through("http://93.184.215.14/a.csv", redirect, OK))


def test_private_host_is_asked_for_where_that_is_allowed() -> None:
    assert run(fetch_through("http://10.0.0.1/a.csv", ALLOW_PRIVATE_HOSTS="true"))


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("exception", ["", "other.example", "127.0.0.1", "*"])
def test_proxies_and_exceptions_are_read_in_the_usual_ways(variable: str, exception: str) -> None:
    async def play() -> tuple[int, int]:
        async with answering(OK) as (proxy, asked), answering(OK) as (server, direct):
            names = {variable: proxy, "NO_PROXY": exception, "ALLOW_PRIVATE_HOSTS": "true"}
            await fetch(f"{server}/a.csv", **names)
            return len(asked), len(direct)

    assert run(play()) == ((0, 1) if exception in {"127.0.0.1", "*"} else (1, 0))


@pytest.mark.parametrize(("status", "error"), [(407, FileError), (403, FileError), (502, SourceBrokeError)])
def test_proxy_that_refuses_a_tunnel_is_named(status: int, error: type[Exception]) -> None:
    async def play() -> None:
        async with answering(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()) as (proxy, _):
            await fetch("https://93.184.215.14/a.csv", HTTPS_PROXY=proxy.replace("//", "//user:hidden@"))

    with pytest.raises(error, match=f"the proxy refused the connection: HTTP {status}") as refusal:
        run(play())
    assert "hidden" not in str(refusal.value)


def test_proxy_that_is_not_there_may_come_back() -> None:
    with pytest.raises(SourceBrokeError, match="no connection to the proxy"):
        run(fetch("http://93.184.215.14/a.csv", HTTP_PROXY="http://127.0.0.1:9"))


def make_authority(folder: Path) -> tuple[str, ssl.SSLContext]:
    """A certificate of one's own for 127.0.0.1, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "private authority")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "both.pem").write_bytes(
        pem
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return pem.decode(), context


@asynccontextmanager
async def answering_over_tls(context: ssl.SSLContext) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def tunnelling() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy for HTTPS: CONNECT, then bytes as they come."""
    requests: list[bytes] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        host, port = requests[-1].split()[1].decode().rsplit(":", 1)
        there = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer), return_exceptions=True)

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", requests


@pytest.mark.parametrize("way", ["text", "file"])
@pytest.mark.parametrize("tunnelled", [False, True])
def test_private_authority_is_trusted_if_named(tmp_path: Path, way: str, *, tunnelled: bool) -> None:
    pem, context = make_authority(tmp_path)
    (tmp_path / "ca.pem").write_text(pem)
    bundle = pem if way == "text" else str(tmp_path / "ca.pem")

    async def play() -> list[bytes]:
        async with answering_over_tls(context) as host, tunnelling() as (proxy, requests):
            names = {"ALLOW_PRIVATE_HOSTS": "true", **({"HTTPS_PROXY": proxy} if tunnelled else {})}
            with pytest.raises(FileError, match="certificate is not valid"):
                await fetch(f"https://{host}/a.csv", **names)
            assert await fetch(f"https://{host}/a.csv", CA_BUNDLE=bundle, **names) == b"ok"
            return requests

    asked = run(play())
    assert all(request.startswith(b"CONNECT 127.0.0.1:") for request in asked)
    assert bool(asked) is tunnelled
    assert all(b"X-Own" not in request for request in asked)
