"""One SQS batch: which objects its messages name, and what becomes of the messages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from aws_lambda_powertools import Logger

from .auto import AUTO_LINEAGE, AutoConverter
from .clickhouse import ClickHouse, Deadline
from .clients import http_session, read_mapping, read_secret, s3_client, sqs_client
from .convert import Converter
from .exceptions import InsertError, MessageRejectedError, OutOfTimeError, XapiEtlError
from .failures import Failure, copy_message, is_last_receive
from .inserts import Inserter, NoInserter, Rows
from .ledger import Ledger
from .loader import Loader
from .mapping import LINEAGE
from .mapping import Mapping as ColumnMapping
from .messages import parse_body
from .pieces import LineConverter
from .schemas import FINISHED, ObjectName, Outcome, Result, Tally
from .settings import Settings
from .sources import SourceReader
from .table_types import TableType, find_differences, parse_type

_LOG_LEVELS = {"failed": "error", "not_started": "warning"}

_COMPUTED = frozenset({"MATERIALIZED", "ALIAS"})
"""Columns that take no values."""
_NAMED_RECORDS = 20

type Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What has become of a batch."""

    failures: Mapping[str, str]
    """By message id, why it has to come back."""
    tally: Tally


def process_batch(
    records: Sequence[Record], settings: Settings, remaining_ms: Callable[[], int], logger: Logger
) -> Report:
    """Load what the messages name."""
    tally = Tally()
    named, failures = _parse(records, logger, tally)
    names = list(dict.fromkeys(name for found in named.values() for name in found))
    logger.info("batch_start", extra={"messages": len(records), "objects": len(names)})
    try:
        if names:
            _make_loader(settings, remaining_ms, logger, tally).run(names)
    except OutOfTimeError as error:
        tally.outcomes |= {name: Outcome("not_started", str(error)) for name in names if name not in tally.outcomes}
    except XapiEtlError as error:
        # Without a mapping or credentials nothing can be loaded.
        logger.error("batch_failed", extra={"error": str(error)})  # noqa: TRY400  # the error says it all
        tally.outcomes |= {name: Outcome("failed", str(error), "batch_failed") for name in names}
    _log(tally, logger)
    if tally.dropped:
        logger.warning("keys_dropped", extra={"lines_by_key": dict(tally.dropped)})
    for message, found in named.items():
        failure = _find_failure([tally.outcomes[name] for name in found])
        if failure is not None:
            failures[message] = failure
    returned = _copy_failures(records, failures, settings, logger, tally)
    logger.info("batch_complete", extra=_describe(len(records), returned, tally, settings))
    return Report(returned, tally)


def _parse(
    records: Sequence[Record], logger: Logger, tally: Tally
) -> tuple[dict[str, list[ObjectName]], dict[str, Failure]]:
    named: dict[str, list[ObjectName]] = {}
    failures: dict[str, Failure] = {}
    for record in records:
        message = record["messageId"]
        try:
            named[message], ignored = parse_body(record["body"])
        except MessageRejectedError as error:
            failures[message] = Failure(str(error), "message_rejected", is_final=True)
            fields = {"message_id": message, "error": str(error)}
            logger.error("message_rejected", extra=fields)  # noqa: TRY400  # the error says it all
            continue
        tally.ignored_records += len(ignored)
        for one in ignored[:_NAMED_RECORDS]:
            fields = {"message_id": message, "reason": one.reason, "record": one.event}
            logger.warning("record_ignored", extra={**fields, "bucket": one.bucket, "key": one.key})
    return named, failures


def _make_loader(settings: Settings, remaining_ms: Callable[[], int], logger: Logger, tally: Tally) -> Loader:
    s3 = open_s3(settings)
    mapping = _find_mapping(settings)
    clickhouse = None if settings.is_dry_run else connect(settings, remaining_ms, logger)
    types, refusal = None, None
    try:
        types = _read_types(clickhouse, settings, logger)
    except InsertError as error:
        refusal = NoInserter(error)  # bad lines and bad objects are told all the same
    converter: LineConverter
    if mapping:
        mapping = _leave_out_missing(mapping, types, settings, logger)
        differences = find_differences(mapping, types)
        converter = Converter(mapping, only_statements=settings.only_statements, types=differences)
    else:
        converter = AutoConverter(settings.insert_columns, types, settings.only_statements)
    return Loader(
        settings,
        s3,
        SourceReader(s3, settings.read_concurrency, settings.max_object_bytes),
        converter,
        refusal or (None if clickhouse is None else _make_inserter(settings, mapping, types, clickhouse, logger)),
        mapping.partition_column if mapping else None,
        logger,
        remaining_ms,
        tally,
    )


def _read_types(clickhouse: ClickHouse | None, settings: Settings, logger: Logger) -> dict[str, TableType] | None:
    """Return the table's columns that take values; ``None`` where a statement of one's own says which those are.

    Raises:
        InsertError: the table does not exist, or ClickHouse does not answer.
    """
    target = settings.clickhouse.target
    if clickhouse is None or target is None or settings.clickhouse.insert_sql:
        return None
    answer = clickhouse.query(f"DESCRIBE TABLE {target} FORMAT JSONCompactEachRow", {})
    rows = [json.loads(line) for line in answer.splitlines()]
    types = {name: parse_type(kind) for name, kind, default, *_ in rows if default not in _COMPUTED}
    if not {"source_file", "source_etag", "source_line"} <= types.keys():
        reason = "the table has no source_file, source_etag and source_line: rows that are gone are not missed"
        logger.warning("look_impossible", extra={"reason": reason})
    return types


def _leave_out_missing(
    mapping: ColumnMapping, types: Mapping[str, TableType] | None, settings: Settings, logger: Logger
) -> ColumnMapping:
    """Return the mapping without the shipped columns that a table from before an update does not have yet."""
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
        logger.warning("look_impossible", extra={"reason": "CLICKHOUSE_TABLE is not set"})
    return Inserter(clickhouse, settings.clickhouse, columns, ledger, rows, settings.compression, logger)


def _find_mapping(settings: Settings) -> ColumnMapping | None:
    """Return the mapping with the columns that are wanted; ``None`` for ``COLUMN_MAP=auto``."""
    if settings.column_map == "auto":
        return None
    mapping = read_mapping(settings.column_map_url, open_s3(settings))
    return mapping.select(settings.insert_columns) if settings.insert_columns else mapping


def find_columns(settings: Settings) -> tuple[str, ...]:
    """Return the columns that are inserted, as far as they are known before the data is.

    Raises:
        MappingError: the mapping cannot be read.
    """
    mapping = _find_mapping(settings)
    return tuple(column.name for column in mapping.columns) if mapping else settings.insert_columns


def open_s3(settings: Settings) -> Any:  # noqa: ANN401  # boto3's stubs are no dependency
    """Return the S3 client that the settings ask for."""
    return s3_client(
        settings.read_concurrency, settings.s3_connect_seconds, settings.s3_read_seconds, settings.s3_max_attempts
    )


def connect(settings: Settings, remaining_ms: Callable[[], int], logger: Logger) -> ClickHouse:
    """Return the ClickHouse server that the settings name.

    Raises:
        InsertError: the secret with the credentials cannot be read.
    """
    where = settings.clickhouse
    credentials = (where.user, where.password) if where.user else None
    if where.secret:
        credentials = read_secret(where.secret)
    deadline = Deadline(remaining_ms, settings.start_insert_ms, settings.safety_margin_ms, where.timeout_seconds)
    return ClickHouse(http_session(), where.url, credentials, deadline, where.max_attempts, logger)


def _find_failure(outcomes: Sequence[Outcome]) -> Failure | None:
    """Return why a message is not done with: the first of its objects that is not.

    It is final if no other try could bring any of them further.
    """
    failed = [outcome for outcome in outcomes if outcome.result not in FINISHED]
    if not failed:
        return None
    is_final = all(outcome.is_final for outcome in failed)
    return Failure(failed[0].reason, failed[0].code or failed[0].result, is_final)


def _copy_failures(
    records: Sequence[Record], failures: Mapping[str, Failure], settings: Settings, logger: Logger, tally: Tally
) -> dict[str, str]:
    """Send on what has failed for the last time, or for good; return the messages that have to come back, and why."""
    returned = {message: failure.reason for message, failure in failures.items()}
    if settings.failure_queue_url is None or settings.is_dry_run:
        return returned
    for record in records:
        failure = failures.get(record["messageId"])
        if failure is None or not (failure.is_final or is_last_receive(record, settings.max_receives)):
            continue
        is_copied = copy_message(sqs_client(), settings.failure_queue_url, record, failure, logger)
        if is_copied and failure.is_final:
            del returned[record["messageId"]]
            tally.messages_dead_lettered += 1
    return returned


def _log(tally: Tally, logger: Logger) -> None:
    for name, outcome in tally.outcomes.items():
        fields: dict[str, Any] = {"bucket": name.bucket, "key": name.key, "version_id": name.version_id}
        fields["reason"] = outcome.reason
        if outcome.result == "failed":
            fields |= {"reason_code": outcome.code, "is_final": outcome.is_final}
        log = getattr(logger, _LOG_LEVELS.get(outcome.result, "debug"))
        log(f"object_{outcome.result}", extra=fields)


def _describe(messages: int, failures: Mapping[str, str], tally: Tally, settings: Settings) -> dict[str, Any]:
    results = Counter(outcome.result for outcome in tally.outcomes.values())
    return {
        "messages": messages,
        "messages_failed": len(failures),
        "objects": len(tally.outcomes),
        **{result: results[result] for result in get_args(Result.__value__)},
        "lines": tally.lines,
        "bad_lines": tally.bad_lines,
        "bad_line_codes": dict(tally.bad_codes),
        "dropped_keys": dict(tally.dropped),
        "ignored_records": tally.ignored_records,
        "messages_dead_lettered": tally.messages_dead_lettered,
        "rows_inserted": tally.rows_inserted,
        "rows_repeated": tally.rows_repeated,
        "rows_present": tally.rows_present,
        "inserts": tally.inserts,
        "parquet_bytes": tally.parquet_bytes,
        "dry_run": settings.is_dry_run,
    }
