"""One SQS batch: which objects its messages name, and what becomes of the messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from aws_lambda_powertools import Logger

from .auto import AUTO_LINEAGE, AutoConverter
from .clickhouse import ClickHouse, Deadline
from .clients import http_session, read_mapping, read_secret, s3_client, sqs_client
from .convert import Converter
from .exceptions import MessageRejectedError, XapiEtlError
from .failures import copy_message, is_last_receive
from .inserts import Inserter
from .loader import Loader
from .mapping import LINEAGE
from .mapping import Mapping as ColumnMapping
from .messages import parse_body
from .pieces import LineConverter
from .schemas import FINISHED, ObjectName, Outcome, Result, Tally
from .settings import Settings
from .sources import SourceReader

_LOG_LEVELS = {"failed": "error", "not_started": "warning"}

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
    named, failures = _parse(records, logger)
    names = list(dict.fromkeys(name for found in named.values() for name in found))
    logger.info("batch_start", extra={"messages": len(records), "objects": len(names)})
    tally = Tally()
    try:
        if names:
            _make_loader(settings, remaining_ms, logger, tally).run(names)
    except XapiEtlError as error:
        # Without a mapping or credentials nothing can be loaded.
        logger.error("batch_failed", extra={"error": str(error)})  # noqa: TRY400  # the error says it all
        tally.outcomes |= {name: Outcome("failed", str(error)) for name in names}
    _log(tally, logger)
    for message, found in named.items():
        reason = _find_failure(tally.outcomes[name] for name in found)
        if reason is not None:
            failures[message] = reason
    _copy_failures(records, failures, settings, logger)
    logger.info("batch_complete", extra=_describe(len(records), failures, tally, settings))
    return Report(failures, tally)


def _parse(records: Sequence[Record], logger: Logger) -> tuple[dict[str, list[ObjectName]], dict[str, str]]:
    named: dict[str, list[ObjectName]] = {}
    failures: dict[str, str] = {}
    for record in records:
        try:
            named[record["messageId"]] = parse_body(record["body"])
        except MessageRejectedError as error:
            failures[record["messageId"]] = str(error)
            fields = {"message_id": record["messageId"], "error": str(error)}
            logger.error("message_rejected", extra=fields)  # noqa: TRY400  # the error says it all
    return named, failures


def _make_loader(settings: Settings, remaining_ms: Callable[[], int], logger: Logger, tally: Tally) -> Loader:
    s3 = open_s3(settings)
    mapping = _find_mapping(settings)
    converter: LineConverter = Converter(mapping) if mapping else AutoConverter(settings.insert_columns)
    return Loader(
        settings,
        s3,
        SourceReader(s3, settings.read_concurrency, settings.max_object_bytes),
        converter,
        None if settings.is_dry_run else _make_inserter(settings, mapping, remaining_ms, logger),
        mapping.partition_column if mapping else None,
        logger,
        remaining_ms,
        tally,
    )


def _make_inserter(
    settings: Settings, mapping: ColumnMapping | None, remaining_ms: Callable[[], int], logger: Logger
) -> Inserter:
    if mapping:
        columns = tuple(column.name for column in mapping.columns)
        lineage = {what: name for what in LINEAGE if (name := mapping.name_of(what))}
    else:
        columns = settings.insert_columns
        lineage = {what: name for what, name in AUTO_LINEAGE.items() if not columns or name in columns}
    return Inserter(
        connect(settings, remaining_ms, logger),
        settings.clickhouse,
        columns,
        lineage,
        mapping.partition_column if mapping else None,
        mapping.key_column if mapping else None,
        settings.compression,
        logger,
    )


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


def _find_failure(outcomes: Iterable[Outcome]) -> str | None:
    """Return why a message is not done with: the first of its objects that is not."""
    return next((outcome.reason for outcome in outcomes if outcome.result not in FINISHED), None)


def _copy_failures(records: Sequence[Record], failures: Mapping[str, str], settings: Settings, logger: Logger) -> None:
    if settings.failure_queue_url is None:
        return
    for record in records:
        reason = failures.get(record["messageId"])
        if reason is not None and is_last_receive(record, settings.max_receives):
            copy_message(sqs_client(), settings.failure_queue_url, record, reason, logger)


def _log(tally: Tally, logger: Logger) -> None:
    for name, outcome in tally.outcomes.items():
        fields = {"bucket": name.bucket, "key": name.key, "version_id": name.version_id, "reason": outcome.reason}
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
        "rows_inserted": tally.rows_inserted,
        "rows_present": tally.rows_present,
        "inserts": tally.inserts,
        "parquet_bytes": tally.parquet_bytes,
        "dry_run": settings.is_dry_run,
    }
