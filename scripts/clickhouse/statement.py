"""A minimal SQL tokenizer, which separates an INSERT from the data that follows it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clickhouse.errors import make_error

_TOKEN = re.compile(
    rb"""
    (?P<space> \s+ | --[^\n]*(?:\n|\Z) | \#[ !][^\n]*(?:\n|\Z) | /\*.*?\*/ )
    | (?P<quoted> '(?:[^'\\]|\\.|'')*' | `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" )
    | (?P<word> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_INPUT = re.compile(rb"\binput\s*\(\s*(?P<structure>'(?:[^'\\]|\\.|'')*')?\s*\)", re.IGNORECASE)
_LINE_END = re.compile(rb"[ \t\f]*\r?\n?")


@dataclass(frozen=True)
class Insert:
    """An INSERT whose data follows in `format`.

    `target` is the statement before its FORMAT or VALUES clause, `settings` its SETTINGS clause.
    """

    target: bytes
    settings: bytes
    format: str
    data: bytes
    """The data that follows the statement in the same text, without the line end between them."""


@dataclass(frozen=True)
class OtherStatement:
    """Any other statement; `format` is that of its FORMAT clause, empty without one."""

    format: str


@dataclass(frozen=True)
class _Token:
    kind: str
    text: bytes
    start: int
    end: int

    def is_word(self, *words: bytes) -> bool:
        return self.kind == "word" and self.text.upper() in words


def _read_tokens(query: bytes) -> Iterator[_Token]:
    """Yield the tokens outside parentheses, without spaces and comments."""
    depth = 0
    for match in _TOKEN.finditer(query):
        kind = match.lastgroup or ""
        if kind == "space":
            continue
        token = _Token(kind, match.group(), match.start(), match.end())
        if token.text == b")":
            depth -= 1
        elif depth == 0:
            yield token
        if token.text == b"(":
            depth += 1


def parse(query: bytes) -> Insert | OtherStatement:
    """Return a query as an INSERT with data or as another statement. Raises ClickHouseError for several statements."""
    tokens = _read_tokens(query)
    first = next(tokens, None)
    if first is not None and first.is_word(b"INSERT"):
        found = _find_data(query, tokens)
        if found is not None:
            return found
    return OtherStatement(_find_format(query))


def _find_data(query: bytes, tokens: Iterator[_Token]) -> Insert | None:
    """Return an INSERT with data; None for one that selects its rows."""
    settings: int | None = None
    before = b""
    for token in tokens:
        is_name = before in {b"INTO", b"TABLE", b"."}
        before = token.text.upper()
        if is_name and before not in {b"TABLE", b"FUNCTION"}:
            continue
        if token.is_word(b"SELECT", b"WITH"):
            return _find_selected_data(query, tokens)
        if token.is_word(b"INFILE") or token.text == b";":
            return None
        if token.is_word(b"SETTINGS"):
            settings = token.start
        elif token.is_word(b"VALUES"):
            return _make_insert(query, settings, token.start, "Values", token.end)
        elif token.is_word(b"FORMAT"):
            return _take_format(query, settings, token, next(tokens, None))
    # Without VALUES and FORMAT, ClickHouse reads what follows as values.
    return _make_insert(query, settings, len(query), "Values", len(query))


def _find_selected_data(query: bytes, tokens: Iterator[_Token]) -> Insert | None:
    """Return an INSERT that selects from its own data; None for one that selects from elsewhere."""
    stop = next((token for token in tokens if token.is_word(b"FORMAT")), None)
    if stop is None or not selects_from_input(query[: stop.start]):
        return None
    return _take_format(query, None, stop, next(tokens, None))


def _take_format(query: bytes, settings: int | None, stop: _Token, name: _Token | None) -> Insert | None:
    if name is None or name.kind != "word":
        return None
    format_name = "Values" if name.is_word(b"VALUES") else name.text.decode()
    return _make_insert(query, settings, stop.start, format_name, name.end)


def _make_insert(query: bytes, settings: int | None, stop: int, name: str, data: int) -> Insert:
    end = stop if settings is None else settings
    line_end = _LINE_END.match(query, data)
    start = line_end.end() if line_end else data
    return Insert(query[:end].rstrip(), query[end:stop].rstrip(), name, query[start:])


def _find_format(query: bytes) -> str:
    """Return the format of a statement's FORMAT clause. Raises ClickHouseError for several statements."""
    found, before, ended = "", None, False
    for token in _read_tokens(query):
        if ended and token.text != b";":
            raise make_error(62, "SYNTAX_ERROR", "Multi-statements are not allowed")
        ended = token.text == b";"
        if before is not None and before.is_word(b"FORMAT") and token.kind == "word":
            found = token.text.decode()
        before = token
    return found


def selects_from_input(query: bytes) -> bool:
    """Return whether an INSERT selects from the data that is sent with it."""
    return _INPUT.search(query) is not None


def select_from_file(query: bytes, path: str, name: str, compression: str) -> bytes:
    """Return an INSERT with its input() replaced by a file."""

    def replace(match: re.Match[bytes]) -> bytes:
        structure = match["structure"] or b"'auto'"
        return f"file('{path}', '{name}', ".encode() + structure + f", '{compression}')".encode()

    return _INPUT.sub(replace, query)
