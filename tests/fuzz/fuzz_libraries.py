"""Random and mutated input for the libraries in C, whose answers are compared with plain Python's.

``python -m tests.fuzz.fuzz_libraries scan|join|footer|page CASES SECONDS SEED``: until there were so many cases, or for
so long; 0 is no limit. Prints how many cases there were.
"""

import json
import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

import tests.fuzz.sanitized  # noqa: F401  # the libraries are the sanitized ones from here on
from dataset_download.formats.row_joining import Cells, Mode, join_rows, join_texts
from tests.fuzz.fuzz_parquet import fuzz_footer, fuzz_page
from xapi_etl.converting.documents import parse_document, parse_value
from xapi_etl.converting.mapping import Leaf
from xapi_etl.converting.scanner import Scanner
from xapi_etl.reading.lines import index_lines

BLOCK_LINES = 4096
ROWS = 4096
LEAVES = [
    Leaf(("id",), "text"),
    Leaf(("verb", "id"), "text"),
    Leaf(("result", "score", "raw"), "number"),
    Leaf(("result", "success"), "flag"),
    Leaf(("n",), "integer"),
    Leaf(("context", "parent"), "raw"),
]
VALUES = [
    *[
        b'"a"',
        b'""',
        b'"\\u00fc\\ud83d\\ude00"',
        b'"\\ud83d"',
        b'"\\\\\\""',
        '"ü€😀"'.encode(),
        b'"' + b"x" * 40 + b'"',
    ],
    *[b"0", b"-0", b"-1.5e3", b"1e999", b"12345678901234567890", b"0.1", b"01", b"1.", b"-", b"1e5", b"123"],
    *[
        b"true",
        b"false",
        b"null",
        b"nul",
        b"[]",
        b"{}",
        b"[1,[2,{}]]",
        b'{"id":"x"}',
        b'[{"id":"c"}]',
        b'{"a":{"b":[]}}',
    ],
    *[b"", b"[", b"}", b'"', b"[" * 70 + b"]" * 70, b' "a" ', b"\t7"],
]
KEYS = [
    b"id",
    b"verb",
    b"result",
    b"score",
    b"raw",
    b"success",
    b"n",
    b"context",
    b"parent",
    b"x",
    b"\\u0069d",
    b"",
    b"idx",
]
ALPHABET = np.frombuffer(b'{}[]",:\\ \t0123456789.-+eEtrufalsnid\x00\x1f\x7f\xc3\xbc\xff', np.uint8)
TEXT = 'aZ09 ,"\n\r\t\b\f\\\x00\x01\x1f\x7f/\'é€\u2028😀"",,""xxxxxxxxxxxxxxxxxxxxxxxx'


def make_templates(dice: Random) -> list[bytes]:
    """Lines that are valid JSON more often than not, and touch every leaf."""
    found = []
    for _ in range(3000):
        top = [b'"id":' + dice.choice(VALUES), b'"verb":{"id":' + dice.choice(VALUES) + b"}"]
        top.append(b'"result":{"score":{"raw":' + dice.choice(VALUES) + b'},"success":' + dice.choice(VALUES) + b"}")
        top += [b'"n":' + dice.choice(VALUES), b'"context":{"parent":' + dice.choice(VALUES) + b"}"]
        top += [b'"' + dice.choice(KEYS) + b'":' + dice.choice(VALUES) for _ in range(dice.randrange(3))]
        found.append(b"{" + b",".join(dice.sample(top, dice.randrange(len(top) + 1))) + b"}")
    found += [b'{"id":"%d","verb":{"id":"v"},"n":%d}' % (number, number) for number in range(3000)]
    return found


def make_blocks(seed: int) -> Iterator[bytes]:
    """Blocks of lines of which about half had a few bytes changed."""
    dice, chance = Random(seed), np.random.default_rng(seed)
    templates = make_templates(dice)
    while True:
        lines = dice.choices(templates, k=BLOCK_LINES)
        block = np.frombuffer(b"\n".join(lines), np.uint8).copy()
        count = dice.choice([0, BLOCK_LINES // 8, BLOCK_LINES // 2, BLOCK_LINES])
        places = chance.integers(0, len(block), count)
        places = places[block[places] != ord("\n")]
        block[places] = ALPHABET[chance.integers(0, len(ALPHABET), len(places))]
        yield block.tobytes()


def read_carefully(document: Any, leaf: Leaf) -> Any:
    """What plain Python finds; raises TypeError where something on the way is no object."""
    for key in leaf.path:
        if document is None:
            return None
        if not isinstance(document, dict):
            raise TypeError
        document = document.get(key)
    return document


FITS: dict[str, tuple[type, ...]] = {"text": (str,), "number": (int, float), "flag": (bool,), "integer": (int,)}


def check_line(text: bytes, found: list[Any]) -> None:
    """What the scanner calls plain is JSON, and what it found is what is there."""
    document = parse_document(text)
    for leaf, value in zip(LEAVES, found, strict=True):
        wanted = read_carefully(document, leaf)
        if leaf.kind == "text":
            assert wanted == (None if value is None else value.decode()), (text, leaf, value, wanted)
        elif leaf.kind == "raw":
            assert (None if value is None else parse_value(value)) == wanted, (text, leaf, value)
        else:
            same = float(wanted) if leaf.kind == "number" and wanted is not None else wanted
            assert same == value, (text, leaf, value, wanted)
        if leaf.kind != "raw":
            assert wanted is None or type(wanted) in FITS[leaf.kind], (text, leaf)


def fuzz_scan(seed: int) -> Iterator[int]:
    scanner = Scanner(LEAVES)
    plain = total = 0
    for number, block in enumerate(make_blocks(seed)):
        lines = index_lines(block)
        if number % 16 == 0:
            # Python's own idea of lines; for bytes it knows these three ends only.
            wanted = [line for line in block.splitlines() if line.strip(b" \t")]
            assert [bytes(text) for text in lines.texts()] == wanted
        table, slow_path = scanner.scan(lines)
        # As bytes: a line beside may hold what is no text.
        columns = [read_values(column) for column in table.columns]
        texts = lines.texts()
        for place in np.flatnonzero(~slow_path).tolist():
            try:
                text = bytes(texts[place])
                text.decode()
            except UnicodeDecodeError:
                continue  # for the caller to see
            check_line(text, [column[place] for column in columns])
            plain += 1
        total += len(lines)
        yield len(lines)
    assert plain > total // 4


def read_values(column: pa.ChunkedArray) -> list[Any]:
    return (column.cast(pa.binary()) if pa.types.is_string(column.type) else column).to_pylist()  # type: ignore[no-any-return]


def quote(text: str | None) -> str:
    """A CSV field of two, by RFC 4180; an empty text is quoted, so that it is none that is missing."""
    if text is None:
        return ""
    needs_quotes = not text or any(letter in text for letter in ',"\n\r')
    return '"' + text.replace('"', '""') + '"' if needs_quotes else text


def fuzz_join(seed: int) -> Iterator[int]:
    dice = Random(seed)
    while True:
        letters = "".join(dice.choices(TEXT, k=20_000))
        lengths = dice.choices([0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 30], k=ROWS)
        starts = [dice.randrange(len(letters) - 40) for _ in range(ROWS)]
        texts = [
            None if start % 11 == 0 else letters[start : start + length]
            for start, length in zip(starts, lengths, strict=True)
        ]
        offset = dice.randrange(20)
        column, kept = pa.array(texts, pa.string()).slice(offset), texts[offset:]
        number = pa.array([start - 10_000 for start in starts], pa.int64()).slice(offset)
        if dice.random() < 0.5:
            cells = [Cells(column, mode=Mode.CSV), Cells(number, mode=Mode.INTEGER)]
            wanted = [f"{quote(text)},{start - 10_000}\n" for text, start in zip(kept, starts[offset:], strict=True)]
            joined = join_rows(cells, ["", ",", "\n"], "").decode()
        else:
            cells = [Cells(column, '"', '"', Mode.JSON), Cells(number, mode=Mode.INTEGER)]
            wanted = [
                f'{{"t":{json.dumps(text, ensure_ascii=False)},"n":{start - 10_000}}}\n'
                for text, start in zip(kept, starts[offset:], strict=True)
            ]
            joined = "".join(join_texts(cells, ['{"t":', ',"n":', "}\n"], "null").to_pylist())
        assert joined == "".join(wanted), f"seed {seed}"
        yield len(kept)


FUZZERS = {"scan": fuzz_scan, "join": fuzz_join, "footer": fuzz_footer, "page": fuzz_page}


def main(what: str, cases: int, seconds: float, seed: int) -> None:
    """Fuzz until a limit is reached."""
    done, started = 0, time.monotonic()
    for count in FUZZERS[what](seed):
        done += count
        if (cases and done >= cases) or (seconds and time.monotonic() - started >= seconds):
            break
    print(f"{what}: {done} cases, seed {seed}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
