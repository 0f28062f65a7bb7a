"""Prints a function's log lines from CloudWatch Logs, of AWS or of the offline stack.

`show_logs.py zip-worker [--since 10m] [--follow]`: the function's name or the end of it. Which stack that is comes
from the environment, .env and .local/outputs.env, as for every script.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lib.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

ROOT = Path(__file__).resolve().parents[1]
GROUP_PREFIX = "/aws/lambda/"
POLL_SECONDS = 2.0
# Lambda's own lines around an invocation; what is not ours and not these (a traceback) is worth seeing.
PLATFORM_LINE = re.compile(r"(INIT_START|START|END|REPORT) ")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_age(text: str) -> int:
    """Return the seconds of an age like 90s, 10m, 2h, 1d."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not an age like 90s, 10m, 2h or 1d")
    return int(match[1]) * UNIT_SECONDS[match[2]]


def find_groups(logs: CloudWatchLogsClient) -> list[str]:
    """Return the log groups of all functions."""
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=GROUP_PREFIX)
    return sorted(group["logGroupName"] for page in pages for group in page["logGroups"])


def choose_groups(groups: list[str], service: str) -> list[str]:
    """Return the groups of the functions called `service`, or whose name ends with it after a hyphen."""
    names = (f"{GROUP_PREFIX}{service}", f"-{service}")
    return [group for group in groups if group == names[0] or group.endswith(names[1])]


def read_lines(logs: CloudWatchLogsClient, group: str, since_ms: int, seen: set[str]) -> Iterator[tuple[int, str]]:
    """Yield (epoch milliseconds, line) of a group's events not in `seen`, which it adds to."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms)
    for page in pages:
        for event in page["events"]:
            # The emulator gives its events no id.
            identity = event.get("eventId") or f"{event['logStreamName']} {event['timestamp']} {event['message']}"
            if identity not in seen and not PLATFORM_LINE.match(event["message"]):
                seen.add(identity)
                yield event["timestamp"], event["message"].rstrip()


def show(logs: CloudWatchLogsClient, groups: list[str], since_ms: int, *, follow: bool) -> None:
    """Print the groups' lines in the order of their times; with `follow`, go on until interrupted."""
    seen: set[str] = set()
    while True:
        lines = [line for group in groups for line in read_lines(logs, group, since_ms, seen)]
        for _, text in sorted(lines, key=lambda line: line[0]):
            print(text, flush=True)
        if not follow:
            return
        time.sleep(POLL_SECONDS)


def run(service: str, since_seconds: int, *, follow: bool) -> int:
    """Show one service's logs; returns the exit status."""
    settings = read_settings(ROOT, os.environ)
    os.environ.update({name: value for name, value in settings.items() if name.startswith("AWS_")})
    logs = boto3.client("logs", endpoint_url=settings.get("AWS_ENDPOINT_URL") or None)
    groups = find_groups(logs)
    chosen = choose_groups(groups, service)
    if not chosen:
        known = ", ".join(group.removeprefix(GROUP_PREFIX) for group in groups) or "none at all"
        print(f"no function is called '{service}'; there are: {known}", file=sys.stderr)
        return 1
    show(logs, chosen, int((time.time() - since_seconds) * 1000), follow=follow)
    return 0


def main() -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make logs SERVICE=")
    parser.add_argument("service")
    parser.add_argument("--since", type=parse_age, default=parse_age("1h"), help="90s, 10m, 2h, 1d (default: 1h)")
    parser.add_argument("--follow", action="store_true")
    chosen = parser.parse_args()
    try:
        return run(chosen.service, chosen.since, follow=chosen.follow)
    except (BotoCoreError, ClientError, SettingsError) as error:
        print(f"cannot read the logs: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
