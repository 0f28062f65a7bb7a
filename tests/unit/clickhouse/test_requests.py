"""What a request asks for, and how errors and faults are told; no engine needed."""

import base64
import io
import json
from email.message import Message

import pytest

from clickhouse.bodies import find_compression, read_blocks
from clickhouse.engine import Answer
from clickhouse.errors import ClickHouseError, make_error, read_error
from clickhouse.faults import Dropped, Fault, FaultBook, Injected, read_fault
from clickhouse.request import Credentials, Request, read_request


def make_headers(**fields: str) -> Message:
    headers = Message()
    for name, value in fields.items():
        headers[name.replace("_", "-")] = value
    return headers


def ask(target: str, **headers: str) -> Request:
    return read_request(target, make_headers(**headers), is_get=False)


def encode(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def test_parameters_are_told_from_settings() -> None:
    request = ask(
        "/?query=SELECT+%7Bx%3AString%7D&database=d&param_x=a%26b&insert_deduplication_token=a%27b&max_threads=1"
        "&wait_end_of_query=1&buffer_size=9&session_id=s&client_protocol_version=54405&query_id=q&default_format=JSON"
    )
    assert request.query == b"SELECT {x:String}"
    assert request.conditions.database == "d"
    assert request.conditions.settings == {"insert_deduplication_token": "a'b", "max_threads": "1"}
    assert request.conditions.parameters == {"x": "a&b"}
    assert (request.default_format, request.query_id, request.path) == ("JSON", "q", "/")


def test_database_and_format_may_come_as_headers() -> None:
    request = ask("/", X_ClickHouse_Database="d", X_ClickHouse_Format="CSV")
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
    assert ask(target, **headers).credentials == expected


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
def test_doubtful_credentials_are_refused(target: str, headers: dict[str, str]) -> None:
    with pytest.raises(ClickHouseError) as caught:
        ask(target, **headers)
    assert (caught.value.code, caught.value.status) == (516, 403)


@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_native_compression_is_refused_rather_than_ignored(name: str) -> None:
    with pytest.raises(ClickHouseError) as caught:
        ask(f"/?{name}=1")
    assert caught.value.status == 501
    assert ask(f"/?{name}=0").conditions.settings == {}


@pytest.mark.parametrize(
    ("message", "code", "status"),
    [
        ("Code: 47. DB::Exception: Unknown. (UNKNOWN_IDENTIFIER)", 47, 404),
        ("Code: 27. DB::Exception: Cannot (X) parse. (CANNOT_PARSE_INPUT_ASSERTION_FAILED) (version 1.2)", 27, 400),
        ("Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)", 252, 500),
        ("Code: 159. DB::Exception: Slow. (TIMEOUT_EXCEEDED)", 159, 408),
        ("std::bad_alloc", 1002, 500),
    ],
)
def test_error_of_the_engine_is_mapped(message: str, code: int, status: int) -> None:
    error = read_error(message)
    assert (error.code, error.status) == (code, status)
    assert str(error).startswith(f"Code: {code}. DB::Exception: ")


def test_error_about_data_does_not_tell_of_the_file_that_it_was_in() -> None:
    error = read_error(
        "Code: 117. DB::Exception: Code: 117. DB::Exception: Too short: (in file/uri /d/spool/1f): While executing "
        "ParquetV3BlockInputFormat: While executing File: data for INSERT was parsed from file. (INCORRECT_DATA) "
        "(version 26.9.2.1). (INCORRECT_DATA)"
    )
    kept = "Too short: While executing ParquetV3BlockInputFormat. (INCORRECT_DATA) (version 26.9.2.1)"
    assert str(error) == f"Code: 117. DB::Exception: {kept}"


def test_body_is_read_to_its_length_and_not_beyond() -> None:
    source = io.BytesIO(b"x" * 600_000 + b"GET /")
    assert b"".join(read_blocks(source, make_headers(Content_Length="600000"))) == b"x" * 600_000
    assert source.read() == b"GET /"


def test_body_in_chunks_is_put_together() -> None:
    source = io.BytesIO(b"3\r\nabc\r\n4;note=1\r\n\r\nde\r\n0\r\nTrailer: 1\r\n\r\nGET /")
    assert b"".join(read_blocks(source, make_headers(Transfer_Encoding="chunked"))) == b"abc\r\nde"
    assert source.read() == b"GET /"


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"abc", {"Content_Length": "4"}),
        (b"3\r\nabc\r\n", {"Transfer_Encoding": "chunked"}),
        (b"5\r\nabc", {"Transfer_Encoding": "chunked"}),
        (b"zz\r\nabc", {"Transfer_Encoding": "chunked"}),
    ],
)
def test_body_that_ends_early_is_an_error(content: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(ConnectionError):
        list(read_blocks(io.BytesIO(content), make_headers(**headers)))


def test_unknown_compression_is_refused() -> None:
    assert find_compression(make_headers(Content_Encoding="GZIP")) == "gzip"
    with pytest.raises(ClickHouseError, match="Unknown compression method compress"):
        find_compression(make_headers(Content_Encoding="compress"))


def run(fault: Fault) -> list[str]:
    """Run a query under a fault; return what became visible of it, in order."""
    seen: list[str] = []

    def act() -> Answer:
        seen.append("ran")
        return Answer(b"", "")

    try:
        fault.run(act)
        seen.append("answered")
    except (Dropped, Injected) as error:
        seen.append(type(error).__name__)
    return seen


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("none", ["ran", "answered"]),
        ("drop", ["Dropped"]),
        ("drop_after", ["ran", "Dropped"]),
        ("answer", ["Injected"]),
        ("answer_after", ["ran", "Injected"]),
        ("delay", ["ran", "answered"]),
    ],
)
def test_fault_strikes_before_or_after_the_query(kind: str, seen: list[str]) -> None:
    assert run(Fault(kind)) == seen


def test_fault_strikes_as_often_as_ordered_and_only_what_matches() -> None:
    book = FaultBook()
    book.add(Fault("drop", times=2, skip=1))
    queries = [b"SELECT 1", b"INSERT INTO t", b" insert into t", b"INSERT INTO t", b"INSERT INTO t"]
    assert [book.take(query).kind for query in queries] == ["none", "none", "drop", "drop", "none"]
    assert json.loads(book.describe())["happened"] == {"drop": 2}


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"kind": "x"}', b'{"kind": "drop", "y": 1}', b'{"kind": "answer", "status": 1}', b"x"]
)
def test_fault_that_makes_no_sense_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own included
        read_fault(body)


def test_error_of_the_front_is_worded_as_the_engine_does() -> None:
    assert str(make_error(62, "SYNTAX_ERROR", "Empty query")) == "Code: 62. DB::Exception: Empty query (SYNTAX_ERROR)"
