"""The C library: values of the fast path, lines of the slow path, and memory bounds."""

import ctypes
import json
import mmap
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.support.own_process import count_in_own_process
from tests.unit.xapi_etl.converting.test_fast_vs_slow_parser import GOOD, ODD
from tests.unit.xapi_etl.statements import make_statements
from xapi_etl.converting.documents import parse_document
from xapi_etl.converting.mapping import Leaf
from xapi_etl.converting.scanner import Scanner, build_tree
from xapi_etl.reading.lines import index_lines
from xapi_etl.reading.native import load_library

SEED = 20261121
PLAIN = [json.dumps(one).encode() for one in make_statements(100)]
ALPHABET = b'{}[]",:\\/ \t\x00\x1f\x7f-+.eE0123456789truefalsnbu'


def scan(leaves: list[Leaf], *texts: bytes) -> tuple[list[dict[str, Any]], list[bool]]:
    table, slow_path = Scanner(leaves).scan(index_lines(b"\n".join(texts)))
    table.validate(full=True)
    return table.to_pylist(), slow_path.tolist()


def find(place: tuple[str, ...], text: bytes) -> Any:
    """Return the text at a path of a line that must take the fast path."""
    rows, slow_path = scan([Leaf(place, "text")], text)
    assert slow_path == [False]
    return rows[0]["0"]


@pytest.mark.parametrize("make_ascii", [True, False])
def test_every_character_is_read_as_json_has_it(make_ascii: bool) -> None:
    points = [*range(0xD800), *range(0xE000, 0x110000, 7)]
    texts = ["".join(map(chr, points[start : start + 500])) for start in range(0, len(points), 500)]
    lines = [json.dumps({"a": text}, ensure_ascii=make_ascii).encode() for text in texts]
    rows, slow_path = scan([Leaf(("a",), "text")], *lines)
    assert not any(slow_path)
    assert [row["0"] for row in rows] == texts


def test_every_short_escape_is_read() -> None:
    assert find(("a",), rb'{"a":"\"\\\/\b\f\n\r\t\u0041\u00fC"}') == '"\\/\b\f\n\r\tA\u00fc'


@pytest.mark.parametrize("letter", [chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\/bfnrtu'])
def test_other_escapes_take_the_slow_path(letter: str) -> None:
    line = json.dumps({"a": "?"}).replace("?", "\\" + letter).encode()
    assert scan([Leaf(("a",), "text")], line, line.replace(b'"a"', b'"b"'))[1] == [True, True]


@pytest.mark.parametrize("length", range(40))
def test_texts_of_every_length_end_at_their_quote(length: int) -> None:
    text = "x" * length
    assert find(("a",), json.dumps({"b": text, "a": text, "c": 1}).encode()) == text
    assert find(("a",), json.dumps({"b": text, "a": text + '"' + text}).encode()) == text + '"' + text


def test_similar_keys_are_distinguished() -> None:
    names = ["", "a", "b", "ab", "ba", *("k" * length for length in range(5, 20))]
    names += [f"https://example.org/{number:03}/the-same-end" for number in range(200)]
    names += [f"column_{number:03}" for number in range(600)] + ["\u00fc", "\U0001f600", "a/b", "a~b", "a.b"]
    leaves = [Leaf((name,), "text") for name in names]
    shuffled = Random(SEED).sample(names, len(names))
    document = {name: f"of {name}" for name in shuffled} | {"unknown": "x", "https://example.org/200/the-same-end": "y"}
    rows, slow_path = scan(leaves, json.dumps(document, ensure_ascii=False).encode())
    assert slow_path == [False]
    assert rows[0] == {str(number): f"of {name}" for number, name in enumerate(names)}


@pytest.mark.parametrize("form", ["column_{:03}", "{:03}_column", "https://example.org/extensions/{:03}", "{}"])
def test_similar_keys_do_not_collide(form: str) -> None:
    _, slots, _ = build_tree([Leaf((form.format(number),), "text") for number in range(600)])
    crowds = "".join("x" if slot else " " for slot in slots).split()
    assert max(map(len, crowds)) < 40


def test_deep_paths_are_followed_and_deeper_lines_take_the_slow_path() -> None:
    place = tuple(f"k{depth}" for depth in range(50))
    document: Any = "found"
    for key in reversed(place):
        document = {key: document}
    assert find(place, json.dumps(document).encode()) == "found"
    rows, slow_path = scan([Leaf(("a",), "text")], b'{"a":"x","b":' + b"[" * 100 + b"]" * 100 + b"}")
    assert slow_path == [True]
    assert rows[0]["0"] is None


def test_lines_of_several_rounds_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xapi_etl.converting.scanner._MAX_SPANS", 1_000)
    texts = [b'{"a":"%d"}' % number if number % 1000 else b"?" for number in range(4_500)]
    rows, slow_path = scan([Leaf(("a",), "text")], *texts)
    assert [number for number, is_odd in enumerate(slow_path) if is_odd] == list(range(0, 4_500, 1000))
    assert [row["0"] for row in rows] == [str(number) if number % 1000 else None for number in range(4_500)]


def test_lines_are_plain_only_if_they_are_documents() -> None:
    """Change bytes at random: orjson accepts every line of the fast path and reads the same values."""
    dice, leaves = Random(SEED), [Leaf(("id",), "text"), Leaf(("result", "score", "raw"), "number")]
    texts = [change(dice, dice.choice(PLAIN)[: dice.choice([100, 2000])]) for _ in range(20_000)]
    rows, slow_path = scan(leaves, *texts)
    assert 1_000 < sum(slow_path) < len(texts) - 1_000
    for text, row, is_odd in zip(texts, rows, slow_path, strict=True):
        if not is_odd:
            document = parse_document(text)
            assert row["0"] == document.get("id")
            assert row["1"] == ((document.get("result") or {}).get("score") or {}).get("raw")


def change(dice: Random, line: bytes) -> bytes:
    """Replace, remove and insert a few bytes."""
    text = bytearray(line)
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(text))
        text[place : place + dice.randint(0, 2)] = bytes(dice.choices(ALPHABET, k=dice.randint(0, 2)))
    return bytes(text)


def test_plain_statements_and_documents_take_the_fast_path() -> None:
    spaced = [json.dumps(one, separators=(" , ", "\t: ")).encode() for one in make_statements(100)]
    others = [b"{}", b" {\t} ", b'{"x":[[],{},[1,-2.5e+3,true,false,null,"\\u00e4"]]}']
    assert not any(scan([Leaf(("id",), "text")], *PLAIN, *spaced, *others)[1])


def test_no_byte_is_read_beyond_the_lines_end() -> None:
    """Run in a separate process where the page after the lines is not readable: an extra byte read crashes it."""
    assert count_in_own_process(__name__, "scan_at_the_edge") > 5_000


def scan_at_the_edge() -> None:
    """Scan every prefix of many lines before an unreadable page; print their number."""
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE * 16)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    edge = start + mmap.PAGESIZE * 16
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(edge), mmap.PAGESIZE * 16, 0) == 0
    lines = [line for line in [*ODD, GOOD[0], GOOD[1], b'{"id":"\\ud83d\\ude00"}'] if len(line) < mmap.PAGESIZE]
    texts = {line[:end] for line in lines for end in range(1, len(line) + 1)}
    for text in texts:
        for end in b"\n\r\0":
            ctypes.memmove(edge - len(text) - 1, text + bytes([end]), len(text) + 1)
            scan_memory(edge - len(text) - 1, len(text))
    print(len(texts))


def scan_memory(address: int, size: int) -> bool:
    """Scan the single line at a memory address; return whether it takes the slow path."""
    leaves = [Leaf(("id",), "text"), Leaf(("result", "score", "raw"), "number"), Leaf(("result", "success"), "flag")]
    nodes, slots, keys = build_tree(leaves)
    seen, spans = np.zeros(len(nodes), np.uint32), np.zeros((len(leaves), 1, 2), np.uint32)
    starts, ends, slow_path = np.zeros(1, np.int64), np.full(1, size, np.int64), np.empty(1, bool)
    block = (ctypes.c_uint64 * 5)(address, size, starts.ctypes.data, ends.ctypes.data, 1)
    names = ctypes.create_string_buffer(keys)
    tree = (ctypes.c_uint64 * 3)(nodes.ctypes.data, ctypes.addressof(names), slots.ctypes.data)
    load_library().scan_lines(block, tree, len(leaves), seen.ctypes.data, spans.ctypes.data, slow_path.ctypes.data)
    return bool(slow_path[0])
