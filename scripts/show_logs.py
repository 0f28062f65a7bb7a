"""Prints a function's log lines from CloudWatch Logs, of AWS or of the offline stack.

`show_logs.py zip-worker [--since 10m] [--follow]`: a function's name, the end of it, or a service like `zip-jobs` for
all of its functions. Which stack that is comes from the environment, .env and .local/outputs.env, as for every script.
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

from lib.common.settings import SettingsError, read_settings
from lib.operations.log_groups import FUNCTION_GROUPS, SERVICES, LogLine, choose_function, list_groups, read_events

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

ROOT = Path(__file__).resolve().parents[1]
POLL_SECONDS = 2.0
CLOCK_SKEW_MS = 60_000
# Lambda's own lines around an invocation. All other lines that are not JSON, such as a traceback, are shown.
PLATFORM_LINE = re.compile(r"(INIT_START|START|END|REPORT) ")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_age(text: str) -> int:
    """Return the seconds of an age like 90s, 10m, 2h, 1d."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not an age like 90s, 10m, 2h or 1d")
    return int(match[1]) * UNIT_SECONDS[match[2]]


def read_new(logs: CloudWatchLogsClient, group: str, since_ms: int, seen: set[LogLine]) -> Iterator[LogLine]:
    """Yield a group's lines not in `seen`, which it adds to."""
    for line in read_events(logs, group, since_ms, int(time.time() * 1000) + CLOCK_SKEW_MS):
        if line not in seen and not PLATFORM_LINE.match(line.text):
            seen.add(line)
            yield line


def show(logs: CloudWatchLogsClient, groups: list[str], since_ms: int, *, follow: bool) -> None:
    """Print the groups' lines in the order of their times; with `follow`, go on until interrupted."""
    seen: set[LogLine] = set()
    while True:
        lines = [line for group in groups for line in read_new(logs, group, since_ms, seen)]
        for line in sorted(lines, key=lambda line: line.time_ms):
            print(line.text, flush=True)
        if not follow:
            if not lines:
                print("nothing is logged there since then: SINCE=1d looks further back", file=sys.stderr)
            return
        time.sleep(POLL_SECONDS)


def run(service: str, since_seconds: int, *, follow: bool) -> int:
    """Show one service's logs; returns the exit status."""
    settings = read_settings(ROOT, os.environ)
    os.environ.update({name: value for name, value in settings.items() if name.startswith("AWS_")})
    logs = boto3.client("logs", endpoint_url=settings.get("AWS_ENDPOINT_URL") or None)
    groups = list_groups(logs)
    chosen = choose_function(groups, service)
    if not chosen:
        known = ", ".join(name for names in SERVICES.values() for name in names)
        there = ", ".join(group.removeprefix(FUNCTION_GROUPS) for group in groups) or "none: make up deploy-local"
        print(f"no function is called '{service}'; names: {known}; deployed: {there}", file=sys.stderr)
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
