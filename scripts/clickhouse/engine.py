"""The engine (chDB) in this process, and its queries."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from clickhouse.errors import make_error, read_error
from clickhouse.statement import Insert, select_from_file, selects_from_input

_GLOB = frozenset("*?{}'\\")


class _Result(Protocol):
    def bytes(self) -> bytes: ...
    def rows_read(self) -> int: ...
    def bytes_read(self) -> int: ...
    def rows_written(self) -> int: ...
    def bytes_written(self) -> int: ...
    def elapsed(self) -> float: ...


class _Connection(Protocol):
    def query(self, query: str, format: str, *, params: Mapping[str, str]) -> _Result: ...  # noqa: A002 - chDB's name
    def close(self) -> None: ...


@dataclass(frozen=True)
class QueryContext:
    """Database, settings and parameters of a query; `settings` are applied in order, `read_only` after them."""

    database: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False


@dataclass(frozen=True)
class QueryResult:
    """The result of a query; `summary` is the JSON of the header X-ClickHouse-Summary."""

    content: bytes
    summary: str
    is_cut: bool = False
    """Whether an injected fault truncates the content to its first half."""


class Engine:
    """One engine over one folder, which no other process may use at the same time.

    Each query has its own connection, and so its own session: settings and the current database end with it.
    Connections are cheap (below a millisecond) and work in parallel.
    """

    def __init__(self, folder: Path) -> None:
        """Open the data in `folder`; raises RuntimeError if another process uses it, ImportError without chDB."""
        if _GLOB & set(str(folder.resolve())):
            raise RuntimeError(f"the data folder's path must not contain any of {' '.join(sorted(_GLOB))}: {folder}")
        # The real server's image runs in UTC; without this the engine would use the machine's time zone.
        os.environ["TZ"] = "UTC"
        import_module("chdb")
        self._module: Any = import_module("chdb._chdb")
        self._path = str(folder.resolve() / "engine")
        self._spool = folder.resolve() / "spool"
        shutil.rmtree(self._spool, ignore_errors=True)  # remove the bodies that a killed server left
        self._spool.mkdir(parents=True)
        # This connection keeps the engine running between queries.
        self._anchor: _Connection = self._module.connect(self._path)
        self.version = self._anchor.query("SELECT version()", "TSVRaw", params={}).bytes().decode().strip()

    def close(self) -> None:
        """Stop the engine; all queries must have ended."""
        self._anchor.close()

    @contextmanager
    def _connect(self, conditions: QueryContext) -> Iterator[_Connection]:
        connection: _Connection = self._module.connect(self._path)
        try:
            for statement in _prepare(conditions):
                connection.query(statement, "Null", params={})
            yield connection
        except RuntimeError as error:
            raise read_error(str(error)) from error
        finally:
            connection.close()

    def run(self, query: str, output_format: str, conditions: QueryContext) -> QueryResult:
        """Run a statement; raises ClickHouseError."""
        with self._connect(conditions) as connection:
            result = connection.query(query, output_format, params=conditions.parameters)
            return QueryResult(result.bytes(), _summarise(result))

    @contextmanager
    def make_spool_file(self) -> Iterator[Path]:
        """Yield the path of a file for data to insert; the file is deleted when the block ends."""
        path = self._spool / uuid.uuid4().hex
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def insert(self, statement: Insert, data: Path, compression: str, conditions: QueryContext) -> QueryResult:
        """Insert a file's rows; `compression` is ClickHouse's name, or `none`. Raises ClickHouseError."""
        if selects_from_input(statement.target):
            query = select_from_file(statement.target, str(data), statement.format, compression)
            return self.run(_decode(query), "Null", conditions)
        head, settings = _decode(statement.target), _decode(statement.settings)
        source = f"FROM INFILE '{data}' COMPRESSION '{compression}'"
        return self.run(f"{head} {source} {settings} FORMAT {statement.format}", "Null", conditions)

    def decompress(self, data: Path, compression: str) -> bytes:
        """Return a compressed file's contents; raises ClickHouseError."""
        query = f"SELECT * FROM file('{data}', 'RawBLOB', 'content String', '{compression}')"  # noqa: S608 - ours
        return self.run(query, "RawBLOB", QueryContext()).content


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise make_error(62, "SYNTAX_ERROR", "The query is not UTF-8") from error


def _prepare(conditions: QueryContext) -> Iterator[str]:
    """Yield the statements that set up a session."""
    if conditions.database:
        yield f"USE {_quote(conditions.database, '`')}"
    for name, value in conditions.settings.items():
        if not name.isidentifier():
            raise make_error(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'.")
        yield f"SET {name} = {_quote(value)}"
    if conditions.read_only and "readonly" not in conditions.settings:
        yield "SET readonly = 2"


def _quote(text: str, mark: str = "'") -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


def _summarise(result: _Result) -> str:
    numbers = {
        "read_rows": result.rows_read(),
        "read_bytes": result.bytes_read(),
        "written_rows": result.rows_written(),
        "written_bytes": result.bytes_written(),
        "total_rows_to_read": "0",
        "result_rows": result.rows_written() or result.rows_read(),
        "result_bytes": result.bytes_written() or result.bytes_read(),
        "elapsed_ns": round(result.elapsed() * 1e9),
    }
    return json.dumps({name: str(number) for name, number in numbers.items()}, separators=(",", ":"))
