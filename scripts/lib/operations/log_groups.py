"""The log groups of each service, and their log lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

FUNCTION_GROUPS = "/aws/lambda/"
API_GROUPS = "/aws/vendedlogs/apigateway/"
SERVICES = {
    "csv-streamer": ["csv-streamer"],
    "data-aggregator": ["data-aggregator"],
    "dataset-download": ["dataset-download", "dataset-export"],
    "xapi-etl": ["xapi-etl"],
    "zip-jobs": ["zip-enqueue", "zip-status", "zip-worker", "zip-settler"],
}
"""Function names of each service, without the deployment's prefix; partitions of the xAPI ETL append their names."""
_NAMED_BY_OUTPUTS = {
    "ZIP_JOBS_TABLE": "-zip-jobs",
    "CSV_STREAMER_FUNCTION": "-csv-streamer",
    "DATA_AGGREGATOR_FUNCTION": "-data-aggregator",
    "DATASET_DOWNLOAD_FUNCTION": "-dataset-download",
}
_STAMP = re.compile(r'^\{.*?"ts":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^"]*)"')
_PAGE = 10_000
"""Most events in an answer of filter_log_events."""


@dataclass(frozen=True)
class LogLine:
    """One log event."""

    time_ms: int
    group: str
    stream: str
    text: str


def find_prefix(settings: Mapping[str, str]) -> str | None:
    """Return ``<project>-<environment>`` of the deployment that the outputs describe; None if there are none."""
    for output, suffix in _NAMED_BY_OUTPUTS.items():
        name = settings.get(output, "")
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return None


def list_groups(logs: CloudWatchLogsClient, start: str = FUNCTION_GROUPS) -> list[str]:
    """Return the names of all log groups with this prefix."""
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=start)
    return sorted(group["logGroupName"] for page in pages for group in page["logGroups"])


def choose_function(groups: list[str], name: str) -> list[str]:
    """Return the groups of the functions called ``name``, whole or from a hyphen on; of a service, those of all."""
    wanted = name.replace("_", "-")
    exact = [group for group in groups if group == f"{FUNCTION_GROUPS}{name}" or group.endswith(f"-{wanted}")]
    return exact or (choose_service(groups, wanted) if wanted in SERVICES else [])


def choose_service(groups: list[str], service: str, prefix: str | None = None) -> list[str]:
    """Return the groups of a service's functions: of the deployment with this prefix, or of all."""
    start = f"{FUNCTION_GROUPS}{prefix}-" if prefix else FUNCTION_GROUPS
    found = [group for group in groups if group.startswith(start)]
    ends = tuple(f"-{name}" for name in SERVICES[service])
    return [group for group in found if group.endswith(ends) or (service == "xapi-etl" and "-xapi-etl-" in group)]


def find_service_groups(logs: CloudWatchLogsClient, service: str, prefix: str | None) -> list[str]:
    """Return all existing log groups of a service, including the HTTP API's for the ZIP jobs."""
    chosen = choose_service(list_groups(logs), service, prefix)
    if service != "zip-jobs":
        return chosen
    start = f"{API_GROUPS}{prefix}-zip-jobs" if prefix else API_GROUPS
    return chosen + [group for group in list_groups(logs, start) if group.endswith("-zip-jobs")]


def read_events(logs: CloudWatchLogsClient, group: str, since_ms: int, until_ms: int) -> Iterator[LogLine]:
    """Yield a group's lines between two times in epoch milliseconds, sorted by time.

    MiniStack returns at most 10,000 lines and no next token, so later lines are requested by time.
    """
    start, known = since_ms, 0
    while True:
        events = list(_read_pages(logs, group, start, until_ms))
        for event in events[known:]:
            yield LogLine(event["timestamp"], group, event.get("logStreamName", ""), event["message"].rstrip())
        if len(events) != _PAGE:
            return
        last = events[-1]["timestamp"]
        known = sum(event["timestamp"] == last for event in events)
        start, known = (last, known) if known < _PAGE else (last + 1, 0)


def read_server_log(file: Path, group: str, since_ms: int, until_ms: int) -> Iterator[LogLine]:
    """Yield a span's JSON lines of a log file that a server of the offline stack writes; none if there is no file."""
    if not file.is_file():
        return
    for text in file.read_text(encoding="utf-8", errors="replace").splitlines():
        found = _STAMP.search(text)
        time_ms = int(datetime.fromisoformat(found[1]).timestamp() * 1000) if found else 0
        if since_ms <= time_ms <= until_ms:
            yield LogLine(time_ms, group, file.name, text)


def _read_pages(
    logs: CloudWatchLogsClient, group: str, since_ms: int, until_ms: int
) -> Iterator[FilteredLogEventTypeDef]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms, endTime=until_ms)
    for page in pages:
        yield from page["events"]
