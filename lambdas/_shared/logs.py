"""The log line format that every Sluice Lambda shares.

One source file, linked into each Lambda package that uses it, so that every zip carries its own copy.
Each line is one JSON object: ``level``, ``ts`` (ISO 8601, UTC), ``service``, ``event``, ``aws_request_id`` once a
request is known, then the event's own fields. The event is the log call's message, the fields its ``extra``::

    logger.info("job_ready", extra={"job_id": job_id, "files": 12})

An event that was renamed in this release also has ``former_event``, its name before, for queries and metric filters
that still use it.
"""

import logging
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.logging.types import PowertoolsLogRecord

_RENAMED = {"message": "event", "timestamp": "ts", "function_request_id": "aws_request_id"}
_ORDER = ["level", "ts", "service", "event", "former_event", "aws_request_id"]
_FORMER_EVENTS = {
    "abort_uploads_failed": "uploads_left",
    "continuation_delete_failed": "continuation_kept",
    "dedup_lookup_disabled": "look_impossible",
    "dlq_sweep_complete": "dead_letters_seen",
    "file_unexpected_error": "file_crashed",
    "insert_unexpected_error": "insert_broken",
    "job_already_ended": "job_skipped",
    "job_already_leased": "job_skipped",
    "object_unexpected_error": "object_broken",
}
# Powertools adds these from the Lambda context; CloudWatch already has them on every log stream. The last is asyncio's.
_DROPPED = frozenset(
    ["location", "function_name", "function_memory_size", "function_arn", "cold_start", "xray_trace_id", "taskName"]
)


class _EventFormatter(LambdaPowertoolsFormatter):
    """Powertools' JSON formatter with Sluice's field names and order."""

    def serialize(self, log: dict[str, Any] | PowertoolsLogRecord) -> str:
        renamed = {_RENAMED.get(name, name): value for name, value in log.items() if name not in _DROPPED}
        if former := _FORMER_EVENTS.get(str(renamed.get("event"))):
            renamed["former_event"] = former
        ordered = {name: renamed.pop(name) for name in _ORDER if name in renamed}
        return super().serialize({**ordered, **renamed})


def make_logger(service: str) -> Logger:
    """Return the JSON logger of ``service``; its level is ``POWERTOOLS_LOG_LEVEL``, ``LOG_LEVEL`` or INFO.

    A level that does not exist is INFO here, for the line that tells of it: each Lambda's settings refuse it.
    """
    given = os.environ.get("POWERTOOLS_LOG_LEVEL") or os.environ.get("LOG_LEVEL") or ""
    is_unknown = given.upper() not in {"", *logging.getLevelNamesMapping()}
    return Logger(
        service=service,
        level="INFO" if is_unknown else None,
        # The `exception` field has the traceback already; a second copy as an object would double the line.
        logger_formatter=_EventFormatter(utc=True, use_rfc3339=True, serialize_stacktrace=False),
    )
