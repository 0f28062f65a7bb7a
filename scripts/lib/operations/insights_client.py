"""Runs a query in CloudWatch Logs Insights and waits for the result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from lib.operations.result_table import Answer

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import GetQueryResultsResponseTypeDef

_RUNNING = {"Scheduled", "Running", "Unknown"}
_PAUSE_SECONDS = 0.5
_WAIT_SECONDS = 15 * 60


class InsightsError(RuntimeError):
    """Logs Insights did not finish the query."""


def ask_insights(
    logs: CloudWatchLogsClient, groups: Sequence[str], query: str, columns: Sequence[str], since: int, until: int
) -> Answer:
    """Run a query over log groups and a span of epoch seconds, and show its progress.

    ``columns`` gives their order: Insights omits missing values. Other columns of the result follow.

    Raises:
        InsightsError: the query failed, was cancelled or took more than 15 minutes.
        botocore.exceptions.ClientError: it was refused.
    """
    identity = logs.start_query(logGroupNames=list(groups), startTime=since, endTime=until, queryString=query)[
        "queryId"
    ]
    deadline = time.monotonic() + _WAIT_SECONDS
    with Console(stderr=True).status("Logs Insights: starting") as shown:
        while True:
            found = logs.get_query_results(queryId=identity)
            if found["status"] not in _RUNNING:
                break
            if time.monotonic() > deadline:
                raise InsightsError(
                    f"Logs Insights has not finished in {_WAIT_SECONDS // 60} minutes: a shorter SINCE="
                )
            shown.update(f"Logs Insights: {_count_lines(found):,} log lines read")
            time.sleep(_PAUSE_SECONDS)
    if found["status"] != "Complete":
        raise InsightsError(f"Logs Insights ended the query as {found['status']}; a shorter SINCE= may help")
    return _arrange(found, columns)


def _arrange(found: GetQueryResultsResponseTypeDef, columns: Sequence[str]) -> Answer:
    rows = [{cell["field"]: cell["value"] for cell in row if cell["field"] != "@ptr"} for row in found["results"]]
    ordered = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    return Answer(ordered, [[row.get(name) for name in ordered] for row in rows], _count_lines(found))


def _count_lines(found: GetQueryResultsResponseTypeDef) -> int:
    return int(found.get("statistics", {}).get("recordsScanned", 0) or len(found["results"]))
