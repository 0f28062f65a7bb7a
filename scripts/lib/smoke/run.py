"""Runs one small case of each deployed service: see `scripts/smoke.sh --help`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lib.smoke.cases import Case, FailedError, check_aggregator, check_csv, check_xapi, check_zip
from lib.smoke.dataset_case import check_dataset
from lib.xapi.clickhouse_client import ClickHouseError

CASES: dict[str, tuple[str, Callable[[Case], None]]] = {
    "zip": ("API_BASE", check_zip),
    "csv": ("CSV_STREAMER_FUNCTION", check_csv),
    "aggregator": ("DATA_AGGREGATOR_FUNCTION", check_aggregator),
    "xapi": ("XAPI_ETL_FUNCTION", check_xapi),
    "dataset": ("DATASET_URL", check_dataset),
}
"""The case of each service, and the setting whose absence means that the service is not deployed."""


def describe() -> None:
    """Print the account and region in which the cases would run."""
    account = boto3.client("sts").get_caller_identity()["Account"]
    print(f"account {account}, region {os.environ['AWS_REGION']}")
    for service, (setting, _) in CASES.items():
        print(f"  {service:<12}{os.environ.get(setting) or 'not deployed'}")


def run_case(service: str, run: str) -> bool:
    """Run one case and remove its objects; return whether all checks passed."""
    setting, check = CASES[service]
    if not os.environ.get(setting):
        print(f"{service}: not deployed ({setting} is empty)")
        return True
    print(f"{service}:", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        case = Case(f"smoke-{run}", Path(folder))
        passed = False
        try:
            check(case)
            passed = True
        except (FailedError, ClickHouseError, ClientError, BotoCoreError, OSError) as error:
            print(f"  FAILED: {error}", file=sys.stderr, flush=True)
        finally:
            left = case.clean_up()
        for what in left:
            print(f"  left behind: {what}", file=sys.stderr, flush=True)
    return passed and not left


def main() -> int:
    """Run from the command line: services, or none for all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("services", nargs="*")
    parser.add_argument("--describe", action="store_true")
    chosen = parser.parse_args()
    if chosen.describe:
        try:
            describe()
        except (ClientError, BotoCoreError) as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    run = time.strftime("%Y%m%dt%H%M%S", time.gmtime())
    failed = [service for service in chosen.services or CASES if not run_case(service, run)]
    print(f"failed: {', '.join(failed)}" if failed else "all as it has to be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
