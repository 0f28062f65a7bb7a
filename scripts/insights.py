"""Runs a saved query on the logs of a service; AWS and LocalStack run it in CloudWatch Logs Insights.

MiniStack has no Insights: the script reads the lines and runs the query in DuckDB. The choice of the stack comes from
the environment, .env and .local/outputs.env, as for every script.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError
from rich.console import Console

from lib.common.settings import SettingsError, is_loopback, read_settings
from lib.operations.insights_client import InsightsError, ask_insights
from lib.operations.insights_expressions import QuerySyntaxError
from lib.operations.insights_sql import translate_query
from lib.operations.log_groups import LogLine, find_prefix, find_service_groups, read_events, read_server_log
from lib.operations.log_sql import run_query
from lib.operations.result_table import Answer, print_answer, print_list
from lib.operations.saved_queries import QueryNameError, SavedQuery, list_names, read_question, read_saved_query
from show_logs import parse_age

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

ROOT = Path(__file__).resolve().parents[1]
QUERIES = ROOT / "infra" / "queries"
DATASET_SERVER_LOG = ROOT / ".local" / "logs" / "dataset-server.log"
"""Of the server that answers for the Function URL in the offline stack."""
DEPLOY = "make up deploy-local starts and fills the offline stack, make tf-apply deploys to AWS"


class NothingToAskError(RuntimeError):
    """No stack, log group or log line was found; the message says what to do."""


def is_ministack(endpoint: str) -> bool:
    """Return whether the stack at this URL is MiniStack, which alone has this path."""
    if not is_loopback(endpoint):
        return False
    try:
        answer = requests.get(f"{endpoint.rstrip('/')}/_ministack/health", timeout=5)
    except requests.RequestException as error:
        raise NothingToAskError(f"no stack answers at {endpoint}: make up deploy-local") from error
    return answer.status_code == HTTPStatus.OK


def ask(query: SavedQuery, settings: Mapping[str, str], since_seconds: int, *, locally: bool) -> Answer:
    """Return the answer to a query over the last so many seconds."""
    endpoint = settings.get("AWS_ENDPOINT_URL", "")
    is_emulator = is_ministack(endpoint)
    logs = boto3.client("logs", endpoint_url=endpoint or None, config=Config(retries={"mode": "standard"}))
    groups = find_service_groups(logs, query.service, find_prefix(settings))
    if not groups:
        raise NothingToAskError(f"{query.service} has no log groups here: {DEPLOY}")
    now = time.time()
    if not (is_emulator or locally):
        columns = translate_query(query.insights, query.fields).columns
        return ask_insights(logs, groups, query.insights, columns, int(now) - since_seconds, int(now) + 1)
    since_ms, until_ms = int((now - since_seconds) * 1000), int(now * 1000) + 1000
    lines: list[LogLine] = []
    if is_emulator:
        print("MiniStack cannot run Logs Insights: the query runs here, on the log lines", file=sys.stderr)
        if query.service == "dataset-download":
            lines += read_server_log(DATASET_SERVER_LOG, "dataset-server", since_ms, until_ms)
    _read_lines(logs, groups, since_ms, until_ms, lines)
    found, rows = run_query(query.insights, query.fields, lines)
    return Answer(found, rows, len(lines))


def _read_lines(
    logs: CloudWatchLogsClient, groups: list[str], since_ms: int, until_ms: int, lines: list[LogLine]
) -> None:
    with Console(stderr=True).status("reading log lines") as shown:
        for group in groups:
            for line in read_events(logs, group, since_ms, until_ms):
                lines.append(line)
                if len(lines) % 1000 == 0:
                    shown.update(f"reading log lines: {len(lines):,}")


def run(name: str, since: str, *, locally: bool, as_json: bool) -> int:
    """Answer one query, or list all where no name is given; returns the exit status."""
    if not name:
        print_list({known: read_question((QUERIES / f"{known}.query").read_text()) for known in list_names(QUERIES)})
        return 0
    query = read_saved_query(QUERIES, name)
    since_seconds = parse_age(since)
    settings = read_settings(ROOT, os.environ)
    os.environ.update({name: value for name, value in settings.items() if name.startswith("AWS_")})
    print(f"{query.name}: {query.question} (last {since})", file=sys.stderr)
    answer = ask(query, settings, since_seconds, locally=locally)
    print_answer(answer, as_json=as_json)
    if not answer.rows and not answer.lines:
        raise NothingToAskError(f"{query.service} has logged nothing in the last {since}: SINCE=1d looks further back")
    count = len(answer.rows)
    print(f"{count:,} row{'' if count == 1 else 's'} out of {answer.lines:,} log lines", file=sys.stderr)
    return 0


def main() -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make insights QUERY=", description=__doc__)
    parser.add_argument("query", nargs="?", default="", help="like zip_jobs/failed-jobs; without it all are listed")
    parser.add_argument("--since", default="3h", help="how far back: 90s, 10m, 3h, 1d (default: 3h)")
    parser.add_argument("--local", action="store_true", help="read the lines and run the query here, on any stack")
    parser.add_argument("--json", action="store_true", help="print a JSON object a row, nothing shortened")
    chosen = parser.parse_args()
    try:
        return run(chosen.query, chosen.since, locally=chosen.local, as_json=chosen.json)
    except EndpointConnectionError as error:
        print(f"no stack answers: {error}: make up deploy-local", file=sys.stderr)
    except NoCredentialsError:
        print(f"there is no stack to ask: {DEPLOY}; for AWS sign in first", file=sys.stderr)
    except argparse.ArgumentTypeError as error:
        print(f"SINCE: {error}", file=sys.stderr)
    except (QueryNameError, QuerySyntaxError, NothingToAskError, InsightsError) as error:
        print(error, file=sys.stderr)
    except (SettingsError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
