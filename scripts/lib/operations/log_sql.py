"""Runs a Logs Insights query on log lines, by DuckDB and without CloudWatch.

The query becomes SQL over the view ``logs`` (see ``insights_sql``).

The view has a column for each field that the service logs, null where a line lacks it, and of the columns that
CloudWatch adds those that the queries read: ``@timestamp`` (UTC), ``@message``, ``@log`` (the group), ``@logStream``,
``@requestId``, and of Lambda's REPORT lines ``@type``, ``@duration`` and ``@initDuration`` (milliseconds),
``@memorySize`` and ``@maxMemoryUsed`` (bytes, a megabyte being a million of them, as Logs Insights has it).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]

from lib.operations.insights_sql import translate_query
from lib.operations.log_groups import LogLine

type Row = tuple[object, ...]

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_VIEW = """
CREATE VIEW logs AS
SELECT
  -- The emulator gives all lines of an invocation the time of its end.
  coalesce(try_cast(line.ts AS TIMESTAMP), make_timestamp(time_ms * 1000)) AS "@timestamp",
  message AS "@message",
  log AS "@log",
  stream AS "@logStream",
  coalesce(line.aws_request_id, nullif(regexp_extract(message, '{uuid}'), '')) AS "@requestId",
  nullif(regexp_extract(message, '^(INIT_START|START|END|REPORT) ', 1), '') AS "@type",
  {duration} AS "@duration",
  {init_duration} AS "@initDuration",
  {memory} * 1000000 AS "@memorySize",
  {used} * 1000000 AS "@maxMemoryUsed",
  unnest(line)
FROM (
  SELECT *, from_json(CASE WHEN json_valid(message) THEN message ELSE '{{}}' END, '{structure}') AS line
  FROM lines
)
"""


def run_query(query: str, fields: Mapping[str, str], lines: Sequence[LogLine]) -> tuple[list[str], list[Row]]:
    """Return the columns and rows of a query's result over a service's log lines, which may come in any order.

    Args:
        query: a Logs Insights query.
        fields: DuckDB's type by name, of all that the service logs.
        lines: the service's log lines.

    Raises:
        QuerySyntaxError: the query is invalid, names an unknown field, or uses what is not translated.
    """
    with open_view(fields, lines) as connection:
        return run_sql(connection, translate_query(query, fields).sql)


def open_view(fields: Mapping[str, str], lines: Sequence[LogLine]) -> duckdb.DuckDBPyConnection:
    """Return a new DuckDB connection with a view of these lines."""
    connection = duckdb.connect()
    connection.register("lines", _make_table(lines))
    connection.execute(_write_view(fields))
    return connection


def run_sql(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[Row]]:
    """Return the columns and rows of a statement's result."""
    result = connection.execute(sql)
    return [column[0] for column in result.description or []], result.fetchall()


def _make_table(lines: Sequence[LogLine]) -> pa.Table:
    return pa.table(
        {
            "time_ms": pa.array([line.time_ms for line in lines], pa.int64()),
            "log": pa.array([line.group for line in lines], pa.string()),
            "stream": pa.array([line.stream for line in lines], pa.string()),
            "message": pa.array([line.text for line in lines], pa.string()),
        }
    )


def _write_view(fields: Mapping[str, str]) -> str:
    return _VIEW.format(
        uuid=_UUID,
        structure=json.dumps(dict(fields)),
        duration=_find_number("\\tDuration", "ms"),
        init_duration=_find_number("Init Duration", "ms"),
        memory=_find_number("Memory Size", "MB"),
        used=_find_number("Max Memory Used", "MB"),
    )


def _find_number(name: str, unit: str) -> str:
    """Return SQL that finds a number in a REPORT line: "Memory Size: 512 MB"."""
    found = f"try_cast(regexp_extract(message, '{name}: ([0-9.]+) {unit}', 1) AS DOUBLE)"
    return f"CASE WHEN message LIKE 'REPORT %' THEN {found} END"
