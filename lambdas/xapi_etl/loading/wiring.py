"""Factories: the loader, its parts and its clients, created from the settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger

from xapi_etl.clickhouse.http_client import ClickHouse, Deadline
from xapi_etl.clickhouse.inserter import FailingInserter, Inserter, Rows
from xapi_etl.clickhouse.ledger import Ledger
from xapi_etl.clients import http_session, read_mapping, read_secret, s3_client
from xapi_etl.converting.auto_columns import AUTO_LINEAGE, AutoConverter
from xapi_etl.converting.mapped_columns import Converter
from xapi_etl.converting.mapping import LINEAGE
from xapi_etl.converting.mapping import Mapping as ColumnMapping
from xapi_etl.converting.row_chunks import LineConverter
from xapi_etl.converting.table_types import TableType, find_differences, parse_type
from xapi_etl.exceptions import InsertError
from xapi_etl.reading.sources import SourceReader
from xapi_etl.schemas import BatchStats
from xapi_etl.settings import Settings

from .bad_line_policy import BadLinePolicy
from .chunk_reader import ChunkReader
from .gathered_rows import GatheredRows
from .loader import Loader
from .reading_time import ReadingTime
from .rebuild import BatchRebuilder
from .table_writer import TableWriter

_COMPUTED = frozenset({"MATERIALIZED", "ALIAS"})
"""Default kinds of columns that accept no values."""


def make_loader(settings: Settings, remaining_ms: Callable[[], int], logger: Logger, stats: BatchStats) -> Loader:
    """Return the loader of one invocation, which updates ``stats``."""
    s3 = open_s3(settings)
    mapping = _find_mapping(settings)
    clickhouse = None if settings.is_dry_run else connect(settings, remaining_ms, logger)
    types, failing_inserter = None, None
    try:
        types = _read_types(clickhouse, settings, logger)
    except InsertError as error:
        failing_inserter = FailingInserter(error)  # bad lines and bad objects are still reported
    converter: LineConverter
    if mapping:
        mapping = _drop_missing_columns(mapping, types, settings, logger)
        differences = find_differences(mapping, types)
        converter = Converter(mapping, only_statements=settings.only_statements, types=differences)
    else:
        converter = AutoConverter(settings.insert_columns, types, settings.only_statements)
    inserter: Inserter | FailingInserter | None = failing_inserter
    if inserter is None and clickhouse is not None:
        inserter = _make_inserter(settings, mapping, types, clickhouse, logger)
    partition_column = mapping.partition_column if mapping else None
    reader = SourceReader(s3, settings.read_concurrency, settings.max_object_bytes)
    reading_time = ReadingTime(settings, remaining_ms)
    rebuilder = BatchRebuilder(settings, reader, converter, partition_column)
    table = TableWriter(settings, inserter, rebuilder, partition_column, logger, stats)
    return Loader(
        reader,
        ChunkReader(settings, reader, converter, reading_time, logger, stats),
        BadLinePolicy(settings, s3, logger),
        GatheredRows(settings, table, logger, stats),
        table,
        reading_time,
        logger,
        stats,
    )


def _read_types(clickhouse: ClickHouse | None, settings: Settings, logger: Logger) -> dict[str, TableType] | None:
    """Return the types of the table's insertable columns; ``None`` in a dry run or with ``CLICKHOUSE_INSERT_SQL``.

    Raises:
        InsertError: the table does not exist, or ClickHouse does not respond.
    """
    target = settings.clickhouse.target
    if clickhouse is None or target is None or settings.clickhouse.insert_sql:
        return None
    response = clickhouse.query(f"DESCRIBE TABLE {target} FORMAT JSONCompactEachRow", {})
    rows = [json.loads(line) for line in response.splitlines()]
    types = {name: parse_type(kind) for name, kind, default, *_ in rows if default not in _COMPUTED}
    if not {"source_file", "source_etag", "source_line"} <= types.keys():
        reason = "the table lacks source_file, source_etag or source_line, so missing rows cannot be detected"
        logger.warning("dedup_lookup_disabled", extra={"reason": reason})
    return types


def _drop_missing_columns(
    mapping: ColumnMapping, types: Mapping[str, TableType] | None, settings: Settings, logger: Logger
) -> ColumnMapping:
    """Return the mapping without the shipped columns that an older table lacks."""
    if types is None or settings.column_map_url is not None or settings.insert_columns:
        return mapping
    missing = [column.name for column in mapping.columns if column.name not in types]
    if not missing:
        return mapping
    logger.warning("columns_missing", extra={"columns": missing})
    return mapping.select([column.name for column in mapping.columns if column.name in types])


def _make_inserter(
    settings: Settings,
    mapping: ColumnMapping | None,
    types: Mapping[str, TableType] | None,
    clickhouse: ClickHouse,
    logger: Logger,
) -> Inserter:
    if mapping:
        columns = tuple(column.name for column in mapping.columns)
        lineage = {what: name for what in LINEAGE if (name := mapping.name_of(what))}
    else:
        columns = settings.insert_columns
        wanted = set(settings.insert_columns) or set(AUTO_LINEAGE.values())
        lineage = {what: name for what, name in AUTO_LINEAGE.items() if name in wanted}
    if types is not None:
        lineage = {what: name for what, name in lineage.items() if name in types}
    rows = Rows(
        clickhouse,
        settings.clickhouse.target,
        lineage,
        mapping.partition_column if mapping else None,
        mapping.key_column if mapping else None,
    )
    ledger = Ledger(clickhouse, settings.clickhouse.ledger) if settings.clickhouse.ledger else None
    if ledger is None:
        logger.warning("dedup_lookup_disabled", extra={"reason": "CLICKHOUSE_TABLE is not set"})
    return Inserter(clickhouse, settings.clickhouse, columns, ledger, rows, settings.compression, logger)


def _find_mapping(settings: Settings) -> ColumnMapping | None:
    """Return the mapping with the configured columns; ``None`` for ``COLUMN_MAP=auto``."""
    if settings.column_map == "auto":
        return None
    mapping = read_mapping(settings.column_map_url, open_s3(settings))
    return mapping.select(settings.insert_columns) if settings.insert_columns else mapping


def find_columns(settings: Settings) -> tuple[str, ...]:
    """Return the columns of the INSERT; empty if they depend on the data.

    Raises:
        MappingError: the mapping cannot be read.
    """
    mapping = _find_mapping(settings)
    return tuple(column.name for column in mapping.columns) if mapping else settings.insert_columns


def open_s3(settings: Settings) -> Any:  # noqa: ANN401  # boto3's type stubs are not installed at run time
    """Return an S3 client with the limits of the settings."""
    return s3_client(
        settings.read_concurrency, settings.s3_connect_seconds, settings.s3_read_seconds, settings.s3_max_attempts
    )


def connect(settings: Settings, remaining_ms: Callable[[], int], logger: Logger) -> ClickHouse:
    """Return the client of the ClickHouse server in the settings.

    Raises:
        InsertError: the secret with the credentials cannot be read.
    """
    where = settings.clickhouse
    credentials = (where.user, where.password) if where.user else None
    if where.secret:
        credentials = read_secret(where.secret)
    deadline = Deadline(remaining_ms, settings.start_insert_ms, settings.safety_margin_ms, where.timeout_seconds)
    return ClickHouse(http_session(), where.url, credentials, deadline, where.max_attempts, logger)
