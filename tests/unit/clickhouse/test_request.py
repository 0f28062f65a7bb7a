"""A request: query, credentials, settings and parameters from its URL and headers."""

import base64
from email.message import Message

import pytest

from clickhouse.errors import ClickHouseError
from clickhouse.request import Credentials, Request, read_request


def make_headers(**fields: str) -> Message:
    headers = Message()
    for name, value in fields.items():
        headers[name.replace("_", "-")] = value
    return headers


def read(target: str, **headers: str) -> Request:
    return read_request(target, make_headers(**headers), is_get=False)


def encode(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def test_parameters_are_separated_from_settings() -> None:
    request = read(
        "/?query=SELECT+%7Bx%3AString%7D&database=d&param_x=a%26b&insert_deduplication_token=a%27b&max_threads=1"
        "&wait_end_of_query=1&buffer_size=9&session_id=s&client_protocol_version=54405&query_id=q&default_format=JSON"
    )
    assert request.query == b"SELECT {x:String}"
    assert request.conditions.database == "d"
    assert request.conditions.settings == {"insert_deduplication_token": "a'b", "max_threads": "1"}
    assert request.conditions.parameters == {"x": "a&b"}
    assert (request.default_format, request.query_id, request.path) == ("JSON", "q", "/")


def test_database_and_format_may_come_as_headers() -> None:
    request = read("/", X_ClickHouse_Database="d", X_ClickHouse_Format="CSV")
    assert (request.conditions.database, request.default_format) == ("d", "CSV")


@pytest.mark.parametrize(
    ("target", "headers", "expected"),
    [
        ("/", {}, Credentials("default", "")),
        ("/?user=u&password=p%2B", {}, Credentials("u", "p+")),
        ("/", {"Authorization": encode("u:p:q")}, Credentials("u", "p:q")),
        ("/", {"X_ClickHouse_User": "u", "X_ClickHouse_Key": "p"}, Credentials("u", "p")),
        ("/?password=p", {}, Credentials("default", "p")),
    ],
)
def test_credentials_are_read_from_wherever_they_are(
    target: str, headers: dict[str, str], expected: Credentials
) -> None:
    assert read(target, **headers).credentials == expected


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/?user=u", {"Authorization": encode("u:p")}),
        ("/", {"Authorization": encode("u:p"), "X_ClickHouse_Key": "p"}),
        ("/", {"Authorization": "Bearer x"}),
        ("/", {"Authorization": "Basic !!!"}),
        ("/", {"Authorization": encode("no colon")}),
    ],
)
def test_ambiguous_credentials_are_rejected(target: str, headers: dict[str, str]) -> None:
    with pytest.raises(ClickHouseError) as caught:
        read(target, **headers)
    assert (caught.value.code, caught.value.status) == (516, 403)


@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_native_compression_is_refused_rather_than_ignored(name: str) -> None:
    with pytest.raises(ClickHouseError) as caught:
        read(f"/?{name}=1")
    assert caught.value.status == 501
    assert read(f"/?{name}=0").conditions.settings == {}
