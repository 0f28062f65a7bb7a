"""One SQS batch: parsing of its messages, loading of their objects, and the choice of the messages to redeliver."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from aws_lambda_powertools import Logger

from xapi_etl.clients import sqs_client
from xapi_etl.exceptions import MessageRejectedError, OutOfTimeError, XapiEtlError
from xapi_etl.loading.wiring import make_loader
from xapi_etl.schemas import FINISHED, BatchStats, ObjectName, Outcome, Result
from xapi_etl.settings import Settings

from .failure_queue import Failure, copy_message, is_last_receive
from .messages import parse_body

_LOG_LEVELS = {"failed": "error", "not_started": "warning"}

_MAX_LOGGED_RECORDS = 20

type Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a batch."""

    failures: Mapping[str, str]
    """The reason for each message to redeliver, by message id."""
    stats: BatchStats


def process_batch(
    records: Sequence[Record], settings: Settings, remaining_ms: Callable[[], int], logger: Logger
) -> Report:
    """Load the objects that the messages name; return the messages to redeliver and the statistics."""
    stats = BatchStats()
    named, failures = _parse(records, logger, stats)
    names = list(dict.fromkeys(name for found in named.values() for name in found))
    logger.info("batch_start", extra={"messages": len(records), "objects": len(names)})
    try:
        if names:
            make_loader(settings, remaining_ms, logger, stats).run(names)
    except OutOfTimeError as error:
        stats.outcomes |= {name: Outcome("not_started", str(error)) for name in names if name not in stats.outcomes}
    except XapiEtlError as error:
        # Without a mapping or credentials nothing can be loaded.
        logger.error("batch_failed", extra={"error": str(error)})  # noqa: TRY400  # the stack trace adds nothing
        stats.outcomes |= {name: Outcome("failed", str(error), "batch_failed") for name in names}
    _log(stats, logger)
    if stats.dropped:
        logger.warning("keys_dropped", extra={"lines_by_key": dict(stats.dropped)})
    for message, found in named.items():
        failure = _find_failure([stats.outcomes[name] for name in found])
        if failure is not None:
            failures[message] = failure
    returned = _copy_failures(records, failures, settings, logger, stats)
    logger.info("batch_complete", extra=_describe(len(records), returned, stats, settings))
    return Report(returned, stats)


def _parse(
    records: Sequence[Record], logger: Logger, stats: BatchStats
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
            logger.error("message_rejected", extra=fields)  # noqa: TRY400  # the stack trace adds nothing
            continue
        stats.ignored_records += len(ignored)
        for one in ignored[:_MAX_LOGGED_RECORDS]:
            fields = {"message_id": message, "reason": one.reason, "record": one.event}
            logger.warning("record_ignored", extra={**fields, "bucket": one.bucket, "key": one.key})
    return named, failures


def _find_failure(outcomes: Sequence[Outcome]) -> Failure | None:
    """Return why a message has failed, by the first of its objects that failed; ``None`` if all are done.

    The failure is final if all its failed objects would fail again on another attempt.
    """
    failed = [outcome for outcome in outcomes if outcome.result not in FINISHED]
    if not failed:
        return None
    is_final = all(outcome.is_final for outcome in failed)
    return Failure(failed[0].reason, failed[0].code or failed[0].result, is_final)


def _copy_failures(
    records: Sequence[Record], failures: Mapping[str, Failure], settings: Settings, logger: Logger, stats: BatchStats
) -> dict[str, str]:
    """Copy messages that failed for the last time, or for good; return the messages to redeliver, with reasons."""
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
            stats.messages_dead_lettered += 1
    return returned


def _log(stats: BatchStats, logger: Logger) -> None:
    for name, outcome in stats.outcomes.items():
        fields: dict[str, Any] = {"bucket": name.bucket, "key": name.key, "version_id": name.version_id}
        fields["reason"] = outcome.reason
        if outcome.result == "failed":
            fields |= {"reason_code": outcome.code, "is_final": outcome.is_final}
        log = getattr(logger, _LOG_LEVELS.get(outcome.result, "debug"))
        log(f"object_{outcome.result}", extra=fields)


def _describe(messages: int, failures: Mapping[str, str], stats: BatchStats, settings: Settings) -> dict[str, Any]:
    results = Counter(outcome.result for outcome in stats.outcomes.values())
    return {
        "messages": messages,
        "messages_failed": len(failures),
        "objects": len(stats.outcomes),
        **{result: results[result] for result in get_args(Result.__value__)},
        "lines": stats.lines,
        "bad_lines": stats.bad_lines,
        "bad_line_codes": dict(stats.bad_codes),
        "dropped_keys": dict(stats.dropped),
        "ignored_records": stats.ignored_records,
        "messages_dead_lettered": stats.messages_dead_lettered,
        "rows_inserted": stats.rows_inserted,
        "rows_repeated": stats.rows_repeated,
        "rows_present": stats.rows_present,
        "inserts": stats.inserts,
        "parquet_bytes": stats.parquet_bytes,
        "dry_run": settings.is_dry_run,
    }
