"""Whatever stands in the parameters is an entry or a named error, and nothing secret is ever told."""

import json
import re
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_streamer.exceptions import EntryError, EventError, ParametersError
from csv_streamer.inputs.parameters import describe_url, parse_entry, parse_parameters, read_event
from csv_streamer.schemas import Expectation

URL = "https://host.example/data.csv"
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)


def test_entries_are_returned_as_they_stand() -> None:
    assert parse_parameters(b'{"file_urls": ["a", {"url": "b"}, 3], "other": 1}') == ["a", {"url": "b"}, 3]


@pytest.mark.parametrize("raw", [b"{}", b'{"file_urls": []}', b'{"file_urls": null}', b'\xef\xbb\xbf{"other": 1}'])
def test_no_list_is_an_empty_list(raw: bytes) -> None:
    assert parse_parameters(raw) == []


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "is not JSON"),
        (b"{file_urls: []}", "is not JSON"),
        (b'{"file_urls": ["\xff"]}', "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b"1" * 5000, "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'"https://host/a.csv"', "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b'{"file_urls": "https://host/a.csv"}', "file_urls .*is not a list"),
        (b'{"file_urls": {}}', "file_urls .*is not a list"),
        (b'{"file_urls": 0}', "file_urls .*is not a list"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(raw: bytes, problem: str) -> None:
    with pytest.raises(ParametersError, match=problem):
        parse_parameters(raw)


def test_url_alone_is_an_entry() -> None:
    entry = parse_entry(URL)
    assert (entry.url, entry.name, entry.prefix, entry.headers) == (URL, None, None, {})
    assert (entry.content_type, entry.secret) == (None, None)


def test_object_says_more() -> None:
    fields = {
        "url": URL,
        "name": "n.csv",
        "prefix": "p/q",
        "headers": {"X-Key": "größe"},
        "content_type": "text/csv; charset=utf-8",
        "secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:s",
    }
    entry = parse_entry(fields)
    assert {name: getattr(entry, name) for name in fields} == fields


def test_headers_do_not_show_where_an_entry_is_printed() -> None:
    assert "hidden" not in repr(parse_entry({"url": URL, "headers": {"X-Key": "hidden"}}))


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (None, "neither a URL nor an object"),
        (7, "neither a URL nor an object"),
        ([URL], "neither a URL nor an object"),
        ({}, "url is missing"),
        ({"url": None}, "url is missing"),
        ({"url": 3}, "url is not a string"),
        ({"url": URL, "nmae": "x"}, "unknown: 'nmae'; known are .*name"),
        ({"url": URL, "name": 3}, "name is not a non-empty string"),
        ({"url": URL, "name": ""}, "name is not a non-empty string"),
        ({"url": URL, "prefix": ["a"]}, "prefix is not a non-empty string"),
        ({"url": URL, "secret": {}}, "secret is not a non-empty string"),
        ({"url": URL, "headers": ["a"]}, "headers is not an object"),
        ({"url": URL, "headers": {"X": 1}}, "the value of 'X' is not a printable string"),
        ({"url": URL, "content_type": "text/csv\r\nx-amz-acl: public-read"}, "content_type is not printable ASCII"),
        ({"url": URL, "content_type": "tëxt/csv"}, "content_type is not printable ASCII"),
    ],
)
def test_wrong_entry_is_refused_by_name(raw: object, problem: str) -> None:
    with pytest.raises(EntryError, match=problem):
        parse_entry(raw)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "data.csv",
        "//host/a.csv",
        "ftp://host/a.csv",
        "file:///etc/passwd",
        "s3://bucket/key",
        "data:text/csv,a",
        "javascript:alert(1)",
        "http://",
        "http:///a.csv",
        "http://:80/a.csv",
        "http://user@/a.csv",
        "http://host:0/",
        "http://host:99999/",
        "http://host:port/",
        "http://[::1/",
        "http://[nonsense]/",
        "http://host/a\r\nX-Key: 1",
        "http://host/\x00",
        "http://host/\ud800",
        "http://host\u2100.com/",
        "http://host/" + "x" * 8200,
    ],
)
def test_url_that_cannot_be_fetched_is_refused(url: str) -> None:
    with pytest.raises(EntryError, match="url "):
        parse_entry(url)


@pytest.mark.parametrize(
    "url", ["HTTPS://HOST/a", "http://[2606:4700::1]:8080/", "http://ü.example/ñ?q=ä", "http://h?a"]
)
def test_unusual_urls_are_taken(url: str) -> None:
    assert parse_entry(url).url == url


@pytest.mark.parametrize("url", ["https://user:pa/ss@host/", "https://user:pass@\u2100.com/", "https://user:pass@[x]/"])
def test_refusal_does_not_quote_a_password(url: str) -> None:
    with pytest.raises(EntryError) as refusal:
        parse_entry(url)
    assert "pa" not in str(refusal.value)


@pytest.mark.parametrize(
    "name",
    [
        "Range",
        "IF-RANGE",
        "If-None-Match",
        "Accept-Encoding",
        "Host",
        "Connection",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
        "Upgrade",
        "",
        "a b",
        "a:",
        "a\r\nb",
        "ä",
    ],
)
def test_headers_that_would_change_the_request_are_refused(name: str) -> None:
    with pytest.raises(EntryError, match="not a header that can be set here"):
        parse_entry({"url": URL, "headers": {name: "x"}})


@pytest.mark.parametrize("value", ["hidden\r\nX: 1", "hidden\n", "hidden\x00", "hidden\ud800"])
def test_header_value_is_checked_and_never_told(value: str) -> None:
    with pytest.raises(EntryError, match="'X-Key'") as refusal:
        parse_entry({"url": URL, "headers": {"X-Key": value}})
    assert "hidden" not in str(refusal.value)


@settings(deadline=None)
@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(["url", "name", "headers", "secret", "\ud800"], JSON)))
def test_any_entry_is_taken_or_refused_in_words_that_can_be_sent(raw: object) -> None:
    try:
        entry = parse_entry(raw)
    except EntryError as error:
        str(error).encode()
    else:
        assert urlsplit(entry.url).scheme in {"http", "https"}


@settings(deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_parameters_are_a_list_or_refused(raw: bytes) -> None:
    try:
        assert isinstance(parse_parameters(raw), list)
    except ParametersError as error:
        str(error).encode()


@pytest.mark.parametrize(
    ("url", "described"),
    [
        (URL, URL),
        ("https://user:secret@host:8443/a.csv", "https://host:8443/a.csv"),
        ("https://token@host/a.csv", "https://host/a.csv"),
        ("https://host/a.csv?X-Amz-Signature=abc&b=c#frag", "https://host/a.csv?X-Amz-Signature=&b="),
        ("https://host/a.csv?opaquetoken", "https://host/a.csv"),
        ("https://host/a.csv?b3BhcXVl==&c=", "https://host/a.csv"),
        ("https://host/a.csv?a=1;b=secret", "https://host/a.csv?a="),
        ("https://host/a.csv?a=b=secret", "https://host/a.csv?a="),
        ("https://host/ñ/a%20b.csv", "https://host/%C3%B1/a%20b.csv"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("https://[2606:4700::1]:8080/a", "https://[2606:4700::1]:8080/a"),
        ("https://HOST/A", "https://host/A"),
        ("https://host?ä=1", "https://host?%C3%A4="),
        ("user:secret@host/a.csv", "(not a URL)"),
        ("https:/user:secret@host/a.csv", "(not a URL)"),
        ("https:user:secret@host/a.csv", "(not a URL)"),
        ("https://user:sec/ret@host/a.csv", "(not a URL)"),
        ("https://host/\ud800", "(not a URL)"),
        ("https://host:x/", "(not a URL)"),
        ("secret", "(not a URL)"),
        ("", "(not a URL)"),
    ],
)
def test_url_is_described_without_what_is_secret(url: str, described: str) -> None:
    assert describe_url(url) == described


SECRET = st.text(st.characters(), min_size=1).map(
    lambda text: "zq9zq9zq9" + quote(text, safe="", errors="replace") + "9qz9qz9qz"
)
PLACE = st.text(st.characters(exclude_characters="/?#@[]\\:", exclude_categories=["C", "Z"]), max_size=12)


@settings(deadline=None)
@given(PLACE, SECRET, SECRET, SECRET, PLACE, PLACE)
def test_no_secret_of_any_url_is_described(
    host: str, user: str, password: str, value: str, path: str, name: str
) -> None:
    described = describe_url(f"https://{user}:{password}@h{host}.example/{path}?{name}={value}&{value}#{value}")
    assert not re.search("zq9zq9zq9|9qz9qz9qz", described)


@settings(deadline=None)
@given(st.text(st.characters()) | st.text("htps:/?#@[]%=&.12 \\é\ud800").map("http:{}".format))
def test_any_text_is_described_in_printable_ascii(text: str) -> None:
    described = describe_url(text)
    assert described.isascii()
    assert described.isprintable()


@pytest.mark.parametrize("url", ["http://host/a b.csv", " http://host/a b.csv "])
def test_spaces_of_a_url_are_no_error(url: str) -> None:
    assert parse_entry(url).url == "http://host/a b.csv"


@pytest.mark.parametrize("event", [None, {}, {"source": "aws.events", "detail": {}}, {"note": "by hand"}])
def test_event_without_files_leaves_them_to_the_parameters(event: object) -> None:
    assert read_event(event) is None


@pytest.mark.parametrize("entries", [["http://h/a"], [{"url": "http://h/a", "name": "b.csv"}], []])
def test_event_has_files_of_its_own(entries: list[object]) -> None:
    assert read_event({"file_urls": entries, "source": "by hand"}) == entries


def test_files_that_are_null_are_none_and_not_those_of_the_parameters() -> None:
    assert read_event({"file_urls": None}) == []


@pytest.mark.parametrize(
    "event",
    [
        [],
        ["http://h/a"],
        "http://h/a",
        7,
        {"file_urls": "http://h/a"},
        {"file_urls": {"url": "http://h/a"}},
        {"file_url": ["http://h/a"]},
        {"fileUrls": ["http://h/a"]},
        {"URLs": ["http://h/a"]},
        {"url": "http://h/a"},
    ],
)
def test_event_that_is_meant_to_have_files_and_has_none_is_refused(event: object) -> None:
    with pytest.raises(EventError) as refusal:
        read_event(event)
    assert refusal.value.code == "event_invalid"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"expect": []}, "expect is not an object"),
        ({"expect": {"firstline": "a"}}, "expect: unknown: 'firstline'"),
        ({"expect": {"content_type": "csv"}}, "content_type"),
        ({"expect": {"content_type": []}}, "content_type"),
        ({"expect": {"content_type": ["text/csv", 1]}}, "content_type"),
        ({"expect": {"min_size": "1"}}, "min_size is not a whole number"),
        ({"expect": {"min_size": -1}}, "min_size is not a whole number"),
        ({"size": True}, "size is not a whole number"),
        ({"size": 1.5}, "size is not a whole number"),
        ({"size": 1, "expect": {"min_size": 2}}, "size is less than"),
        ({"expect": {"first_line": "a\nb"}}, "not one line"),
        ({"expect": {"first_line": 1}}, "not one line"),
        ({"expect": {"first_line": "\ud800"}}, "characters that UTF-8 cannot have"),
        ({"sha256": "x" * 64}, "sha256 is not 64 hexadecimal digits"),
        ({"md5": "0" * 31}, "md5 is not 32 hexadecimal digits"),
        ({"sha256": "0" * 64, "expect": {"sha256": "1" * 64}}, "sha256 and expect.sha256 differ"),
    ],
)
def test_wrong_expectation_is_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(EntryError, match=re.escape(reason)) as refusal:
        parse_entry({"url": "http://h/a", **fields})
    assert refusal.value.code == "entry_invalid"


def test_expectations_are_read_from_both_places() -> None:
    fields = {
        "size": 5,
        "sha256": "A" * 64,
        "expect": {"content_type": "Text/CSV", "first_line": "a,b", "md5": "0" * 32},
    }
    expect = parse_entry({"url": "http://h/a", **fields}).expect
    assert expect == Expectation(("text/csv",), 5, None, "a,b", "a" * 64, "0" * 32)
