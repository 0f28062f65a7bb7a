"""Comparison of the parsers: the fast path and the slow path give the same rows and the same bad lines."""

import json
import random
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.tiers import scale
from tests.unit.xapi_etl.statements import VIDEO, make_statements
from xapi_etl.converting.documents import parse_document
from xapi_etl.converting.mapped_columns import Converter
from xapi_etl.converting.mapping import SHIPPED, load_mapping
from xapi_etl.reading.lines import index_lines
from xapi_etl.schemas import ConvertedLines, Source

MAPPING = load_mapping(SHIPPED.read_bytes())
FAST = Converter(MAPPING)
CAREFUL = Converter(MAPPING, is_fast=False)
SOURCE = Source("s3://bucket/key", "etag")

GOOD = [json.dumps(one, ensure_ascii=False).encode() for one in make_statements(40)]
ODD = [
    # not JSON, or not an object
    *[
        b"",
        b" ",
        b"\t",
        b"?",
        b"{",
        b"}",
        b"[]",
        b"null",
        b"5",
        b'"x"',
        b"{} {}",
        b"{}{}",
        b"{},",
        b"{}}",
        b"{]",
        b"[{}]",
    ],
    *[b'{"id":"a"', b'{"id":"a",}', b'{"id" "a"}', b"{'id':'a'}", b"{id:1}", b'{"id":"a"} x', b'{"id":"a"}//c'],
    # joined, these two lines would be two documents
    *[b'{"id":"a"}{"id":"b"}', b'{"id":', b'"a"}', b'{"a":{}', b'{"id":"x"}}'],
    # repeated keys, and keys with escapes
    *[b'{"id":"a","id":"b"}', b'{"id":"a","id":null}', b'{"id":1,"id":"b"}', b'{"verb":{"id":"a"},"verb":{"id":"b"}}'],
    *[b'{"verb":{"id":"a"},"verb":null}', b'{"x":1,"x":2}', b'{"\\u0069d":"a"}', b'{"":1}', b'{"verb":{"":{"id":1}}}'],
    # texts that only one of the parsers accepts
    *[b'{"x":NaN}', b'{"x":Infinity}', b'{"x":-Infinity}', b'{"x":Inf}', b'{"x":[NaN,1]}', b'{"x":"NaN, Inf}"}'],
    *[b'{"x":1e999}', b'{"x":-1e999}', b'{"x":' + b"9" * 400 + b"}", b'{"x":' + b"9" * 300 + b"e20}", b'{"x":1e-999}'],
    *[
        b'{"x":' + b"9" * 5000 + b"}",
        b'{"x":[1e999,"\\ud800"]}',
        b'{"x":[1e999,NaN]}',
        b'{"x":[1e999,"\\ud83d\\ude00"]}',
    ],
    *[
        b'{"x":"\\ud800"}',
        b'{"x":"\\udc00"}',
        b'{"id":"\\ud800\\u0041"}',
        b'{"x":"\\ud83d\\ude00"}',
        b'{"id":"\\ud83d\\ude00"}',
    ],
    *[
        b'{"x":"\xff"}',
        b'{"id":"\xff"}',
        b'{"x":"\xed\xa0\x80"}',
        b'{"x":"\xc0\x80"}',
        b"\xef\xbb\xbf{}",
        b"{}\xef\xbb\xbf",
    ],
    *[b'{"x":"\x00"}', b'{"id":"\x00"}', b"\x00", b"{}\x00", b"\x00{}", b'{"id":"a"\x00}', b'{"id":"a\\u0000b"}'],
    *[b'{"x":"\x01"}', b'{"x":"\t"}', b'{\t"id":"a"}', b'{"x":\x0b1}', b'{"x":"\x7f"}', b'{"x":"\x1f"}', b"\x1f{}"],
    *[b'{"x":' + b"[" * depth + b"]" * depth + b"}" for depth in (1022, 1023, 1024, 2000)],
    *[b'{"x":' + b'{"x":' * 1100 + b"1" + b"}" * 1101, b'{"x":' + b"[" * 1500 + b"1e999" + b"]" * 1500 + b"}"],
    *[b'{"x":01}', b'{"x":1.}', b'{"x":.5}', b'{"x":+1}', b'{"x":0x1}', b'{"x":1e}', b'{"x":--1}', b'{"x":1_0}'],
    *[
        b' {"id":"a"}',
        b'{"id":"a"} ',
        b'\t{"id":"a"}\t',
        b'{"x":"\\x"}',
        b'{"x":"\\u12"}',
        b'{"id":"line\xe2\x80\xa8separator"}',
    ],
    # values at mapped paths
    *[
        b'{"id":1}',
        b'{"id":true}',
        b'{"id":[]}',
        b'{"id":{}}',
        b'{"id":null}',
        b'{"id":""}',
        b'{"verb":"a"}',
        b'{"verb":[]}',
    ],
    *[
        b'{"verb":null}',
        b'{"verb":{}}',
        b'{"verb":{"id":{}}}',
        b'{"actor":{"account":null,"mbox":"m"}}',
        b'{"actor":[]}',
    ],
    *[
        b'{"actor":{"account":{"name":null},"openid":"o"}}',
        b'{"actor":{"account":{"name":"n"},"mbox":5}}',
        b'{"result":0}',
    ],
    *[
        b'{"result":{"score":{"raw":%s}}}' % raw
        for raw in (b"1", b"-0", b"-0.0", b"-0e1", b"-0E-1", b"1.5", b'"1"', b"true", b"1e400", b"1e308", b"[]")
    ],
    *[
        b'{"result":{"score":{"raw":%s}}}' % raw
        for raw in (b"9" * 30, b"9" * 309, b"18446744073709551616", b"0.1", b"5e-324")
    ],
    *[b'{"result":{"success":%s}}' % flag for flag in (b"true", b"false", b"null", b"0", b'"true"')],
    *[
        b'{"timestamp":"%s"}' % time
        for time in (b"2025-01-01T00:00:00Z", b"", b"now", b"2025-02-30T00:00:00Z", b"1899-12-31T23:59:59Z")
    ],
    *[
        b'{"timestamp":"%s"}' % time
        for time in (b"2025-01-01", b"2025-01-01T01:02:03.123456789+05:30", b"2300-01-01T00:00:00Z")
    ],
    *[b'{"result":{"duration":"%s"}}' % length for length in (b"PT1S", b"P", b"1h", b"PT", b"P1W", b"PT0.5H")],
]


def describe(converted: ConvertedLines) -> tuple[pa.Table, list[tuple[int, str, bytes]]]:
    return converted.table, [(line.number, line.reason, line.text) for line in converted.bad]


def list_bits(table: pa.Table) -> dict[str, list[int]]:
    """Return all numbers as bits, because 0.0 and -0.0 compare equal."""
    numbers = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    return {name: table.column(name).fill_null(0).to_numpy().view(np.int64).tolist() for name in numbers}


def check(data: bytes) -> None:
    lines = index_lines(data)
    fast, fast_bad = describe(FAST.convert(lines, SOURCE))
    careful, careful_bad = describe(CAREFUL.convert(lines, SOURCE))
    fast.validate(full=True)
    assert fast_bad == careful_bad
    assert fast.equals(careful)
    assert list_bits(fast) == list_bits(careful)
    assert len(fast) + len(fast_bad) == len(lines)


@pytest.mark.parametrize("line", ODD)
def test_slow_path_line_among_fast_ones(line: bytes) -> None:
    check(b"\n".join([*GOOD, line, *GOOD]))
    check(line)


def test_all_slow_path_lines_together() -> None:
    for seed in range(20):
        dice = random.Random(seed)
        lines = [dice.choice(ODD) if dice.random() < 0.2 else dice.choice(GOOD) for _ in range(300)]
        check(b"".join(line + dice.choice([b"\n", b"\r\n", b"\r", b"\n\n"]) for line in lines))


keys = st.sampled_from(
    ["id", "verb", "actor", "result", "score", "raw", "account", "name", "x", VIDEO + "time", "extensions"]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(),
    st.sampled_from(["PT5S", "2025-01-01T00:00Z"]),
)
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))
typical = st.sampled_from(make_statements(10))
CHANGES = st.sampled_from(["id", "timestamp", "stored", "actor", "verb", "object", "result", "context"])


@st.composite
def changed_statements(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a statement in which the value at some path is replaced by another one."""
    statement: dict[str, Any] = json.loads(json.dumps(draw(typical)))
    node = statement
    while True:
        key = draw(st.sampled_from(sorted(node)))
        if isinstance(node[key], dict) and node[key] and draw(st.booleans()):
            node = node[key]
            continue
        node[key] = draw(documents)
        return statement


lines_of_json = st.one_of(documents, changed_statements()).map(lambda one: json.dumps(one, ensure_ascii=False))
any_line = st.one_of(
    lines_of_json.map(lambda text: text.encode(errors="surrogatepass")),
    st.binary(max_size=40),
    st.sampled_from(ODD),
    st.sampled_from(GOOD),
)


@settings(
    deadline=None, max_examples=scale(300, 20), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.lists(any_line, max_size=50), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_mix_of_lines(lines: list[bytes], end: bytes) -> None:
    check(end.join(lines + GOOD))
    check(end.join(lines))


def test_line_of_20_megabytes() -> None:
    long = json.dumps({"id": "long", "x": "y" * 20_000_000}).encode()
    check(b"\n".join([GOOD[0], long, GOOD[1], long[:-1], GOOD[2]]))


def test_plain_statements_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the careful way was taken")

    monkeypatch.setattr("xapi_etl.converting.extract.parse_document", refuse)
    lines = index_lines(b"\n".join(GOOD))
    assert len(FAST.convert(lines, SOURCE).table) == len(GOOD)


def test_bad_line_does_not_send_others_to_the_slow_path(monkeypatch: pytest.MonkeyPatch) -> None:
    careful = 0

    def count(text: memoryview) -> Any:
        nonlocal careful
        careful += 1
        return parse_document(text)

    monkeypatch.setattr("xapi_etl.converting.extract.parse_document", count)
    data = b"\n".join([*GOOD * 50, b'{"id":1}', *GOOD * 50])
    converted = FAST.convert(index_lines(data), SOURCE)
    assert len(converted.table) == 100 * len(GOOD)
    assert [line.reason for line in converted.bad] == ["/id is a number, not a text"]
    assert careful <= 64


def test_lines_of_every_length_are_kept_as_they_are() -> None:
    texts = [b"{%s}" % (b" " * spaces) for spaces in range(20)]
    texts += ['{"x":"\u00fc\u00fc"}'.encode(), b'{"id":"short", "x":"long"}']
    for kept in (texts, texts[:1], texts[10:12]):
        table = FAST.convert(index_lines(b"\n?\n".join([*kept, *GOOD])), SOURCE).table
        statements = table.column("statement")
        statements.validate(full=True)
        assert statements.to_pylist() == [text.decode() for text in [*kept, *GOOD]]


def test_rows_of_a_block_know_their_lines() -> None:
    converted = FAST.convert(index_lines(b"\n \n".join([b"{}", b"?", b"{}"]), first_number=10), SOURCE)
    assert converted.table.column("source_line").to_pylist() == [10, 12]
    assert np.array_equal([line.number for line in converted.bad], [11])
