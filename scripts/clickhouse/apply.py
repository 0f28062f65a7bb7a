"""Command line that creates the tables of schema.sql: `python -m clickhouse.apply`, in the folder scripts/.

It works with any server that has ClickHouse's HTTP interface. Environment variables: CLICKHOUSE_URL, CLICKHOUSE_USER,
CLICKHOUSE_PASSWORD, CLICKHOUSE_DATABASE (xapi), CLICKHOUSE_TABLE (statements). Existing tables keep their rows.
"""

import os
import re
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

SCHEMA = Path(__file__).with_name("schema.sql")
DEFAULT_DATABASE = "xapi"
DEFAULT_TABLE = "statements"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TIMEOUT_SECONDS = 60


class SchemaError(Exception):
    """The schema cannot be applied; the message says why."""


def read_statements(database: str, table: str) -> list[str]:
    """Return the statements of the schema for a database and a table; raises SchemaError for an invalid name."""
    for name in (database, table):
        if not _NAME.fullmatch(name):
            raise SchemaError(f"'{name}' is not a valid name of a database or table")
    text = SCHEMA.read_text().replace("{database}", database).replace("{table}", table)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";\n") if statement.strip(" \n;")]


def apply_schema(url: str, headers: Mapping[str, str], database: str, table: str) -> None:
    """Create the database and the table on a server; raises SchemaError with the server's message."""
    for statement in read_statements(database, table):
        _send(url, headers, statement.rstrip(";"))


def _send(url: str, headers: Mapping[str, str], statement: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SchemaError(f"CLICKHOUSE_URL is '{url}': expected http://host:port or https://host:port")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", parts.path or "/", statement.encode(), dict(headers))
        response = connection.getresponse()
        text = response.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        raise SchemaError(f"{url} does not respond: {error}") from error
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        raise SchemaError(f"{url} returned HTTP {response.status}: {text}")


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Apply the schema to the server in the environment variables; return the exit status."""
    database = environment.get("CLICKHOUSE_DATABASE") or DEFAULT_DATABASE
    table = environment.get("CLICKHOUSE_TABLE") or DEFAULT_TABLE
    headers = {"X-ClickHouse-User": environment.get("CLICKHOUSE_USER") or "default"}
    if environment.get("CLICKHOUSE_PASSWORD"):
        headers["X-ClickHouse-Key"] = environment["CLICKHOUSE_PASSWORD"]
    try:
        apply_schema(environment.get("CLICKHOUSE_URL", ""), headers, database, table)
    except SchemaError as error:
        print(f"clickhouse schema: {error}", file=sys.stderr)
        return 1
    print(f"clickhouse schema: {database}.{table} exists")
    return 0


if __name__ == "__main__":
    sys.exit(main())
