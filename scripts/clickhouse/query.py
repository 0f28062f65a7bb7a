"""One query: from a request's URL and body to the engine."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from clickhouse.bodies import BLOCK_BYTES
from clickhouse.engine import Engine, QueryResult
from clickhouse.errors import make_error
from clickhouse.request import Request
from clickhouse.statement import Insert, parse, selects_from_input

type Runner = Callable[[bytes, Callable[[], QueryResult]], QueryResult]
"""Runs the given query text by calling the given function; may inject a fault."""


@dataclass(frozen=True)
class FormattedResult:
    """A result and its format."""

    result: QueryResult
    format: str


def execute_request(
    engine: Engine, request: Request, blocks: Iterator[bytes], compression: str, run: Runner
) -> FormattedResult:
    """Run the query of a request's URL and body; return its result. Raises ClickHouseError.

    The data of an INSERT is spooled to a file first, regardless of its size: a truncated body inserts nothing, and
    the engine can seek in formats that need it (Parquet) without holding the data in memory.
    """
    statement = parse(request.query)
    if isinstance(statement, Insert) and request.query and not statement.data:
        return _insert(engine, request, statement, blocks, compression, run)
    if compression != "none":
        blocks = iter([_decompress(engine, blocks, compression)])
    head = _gather(blocks)
    if request.query:
        head = request.query + (b"\n" + head if head else b"")
    statement = parse(head)
    if isinstance(statement, Insert) and not _is_text(statement, head):
        return _insert(engine, request, statement, chain([statement.data], blocks), "none", run)
    return _run_text(
        engine, request, head + b"".join(blocks), "" if isinstance(statement, Insert) else statement.format, run
    )


def _insert(
    engine: Engine, request: Request, statement: Insert, blocks: Iterable[bytes], compression: str, run: Runner
) -> FormattedResult:
    with engine.make_spool_file() as path:
        with path.open("wb") as file:
            file.writelines(blocks)
        result = run(statement.target, lambda: engine.insert(statement, path, compression, request.conditions))
    return FormattedResult(result, "")


def _run_text(engine: Engine, request: Request, query: bytes, output_format: str, run: Runner) -> FormattedResult:
    try:
        text = query.decode()
    except UnicodeDecodeError as error:
        raise make_error(62, "SYNTAX_ERROR", "The query is not UTF-8") from error
    if not text.strip():
        raise make_error(62, "SYNTAX_ERROR", "Empty query")
    if text.lstrip()[:6].upper() == "INSERT" and selects_from_input(query):
        raise make_error(48, "NOT_IMPLEMENTED", "The offline ClickHouse requires FORMAT after SELECT ... FROM input()")
    result = run(query, lambda: engine.run(text, request.default_format, request.conditions))
    return FormattedResult(result, output_format or request.default_format)


def _decompress(engine: Engine, blocks: Iterable[bytes], compression: str) -> bytes:
    with engine.make_spool_file() as path:
        with path.open("wb") as file:
            file.writelines(blocks)
        return engine.decompress(path, compression) if path.stat().st_size else b""


def _gather(blocks: Iterator[bytes]) -> bytes:
    """Return the start of a body, enough for any statement before its data."""
    parts, size = [], 0
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size >= BLOCK_BYTES:
            break
    return b"".join(parts)


def _is_text(statement: Insert, head: bytes) -> bool:
    """Return whether an INSERT's values can stay in the query's text."""
    if statement.format != "Values" or len(head) >= BLOCK_BYTES or selects_from_input(statement.target):
        return False
    try:
        head.decode()
    except UnicodeDecodeError:
        return False
    return True
