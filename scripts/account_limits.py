"""Compares the account's Lambda limits with what an environment expects: `account_limits.py dev`.

New accounts start with 10 concurrent executions instead of 1,000, and a receive that was throttled counts: messages
would end in the dead-letter queue without having been looked at. The exit status is 1 if the account has less than the
environment says (``account_concurrency``); a missing permission to read the limits is not an error.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

ROOT = Path(__file__).resolve().parents[1]
_DECLARED = re.compile(r"^account_concurrency\s*=\s*(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Finding:
    """The account's limits compared with the expected ones."""

    ok: bool
    text: str


def read_declared(environment: str) -> int:
    """Return the concurrent executions that an environment expects.

    Raises:
        FileNotFoundError: the environment does not exist.
    """
    declared = _DECLARED.search((ROOT / f"infra/envs/{environment}.tfvars").read_text(encoding="utf-8"))
    limits = json.loads((ROOT / "infra/aws_limits.json").read_text(encoding="utf-8"))
    return int(declared[1]) if declared else int(limits["lambda_concurrent_executions_new_account"]["value"])


def check_account(environment: str, functions: LambdaClient | None = None) -> Finding:
    """Read the account's limits from Lambda and compare them; a failed request is reported, not raised."""
    import boto3  # noqa: PLC0415  # make doctor runs before it is installed
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    needed = read_declared(environment)
    try:
        limit = (functions or boto3.client("lambda")).get_account_settings()["AccountLimit"]
    except (ClientError, BotoCoreError) as error:
        return Finding(
            ok=True, text=f"the account's concurrent executions are not known ({error}); {needed} are counted on"
        )
    has, unreserved = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    said = f"the account has {has} concurrent executions, {unreserved} unreserved; {environment} counts on {needed}"
    if unreserved >= needed:
        return Finding(ok=True, text=said)
    return Finding(
        ok=False,
        text=(
            f"{said}: throttled messages would end in the dead-letter queues. Ask for more in Service Quotas (Lambda, "
            f"L-B99A9384), or set account_concurrency = {max(10, unreserved)} in infra/envs/{environment}.tfvars and "
            "lower the maximum_concurrency of the services"
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="account_limits.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("environment", help="name of a file in infra/envs")
    chosen = parser.parse_args(arguments)
    try:
        finding = check_account(chosen.environment)
    except FileNotFoundError:
        print(f"account_limits.py: there is no infra/envs/{chosen.environment}.tfvars", file=sys.stderr)
        return 2
    print(finding.text, file=sys.stdout if finding.ok else sys.stderr)
    return 0 if finding.ok else 1


if __name__ == "__main__":
    sys.exit(main())
