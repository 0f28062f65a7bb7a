"""Assigns an owner to ZIP jobs without one: see `scripts/assign_zip_owners.sh --help`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ROLE_OR_USER = re.compile(r"(arn:[a-z0-9-]+:iam::[0-9]{12}:(?:role|user)/)(?:[^/]+/)*([^/]+)")
_OTHERS = re.compile(
    r"anonymous|cognito:.+|(?:sub|client_id):[^#]*#.+"
    r"|arn:[a-z0-9-]+:iam::[0-9]{12}:root|arn:[a-z0-9-]+:sts::[0-9]{12}:federated-user/.+"
)


def normalize_owner(owner: str) -> str:
    """Return an owner as zip_enqueue stores it: roles and users have no path.

    Raises:
        ValueError: the owner is not a valid caller identity.
    """
    if match := _ROLE_OR_USER.fullmatch(owner):
        return match[1] + match[2]
    if not _OTHERS.fullmatch(owner):
        raise ValueError(f"{owner!r} is the owner of no caller; --help lists the forms")
    return owner


def find_jobs_without_owner(dynamodb: DynamoDBClient, table: str) -> Iterator[str]:
    """Yield the ids of all jobs without an owner."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="attribute_not_exists(#owner)",
        ProjectionExpression="jobId",
        ExpressionAttributeNames={"#owner": "owner"},
    )
    for page in pages:
        for item in page["Items"]:
            yield item["jobId"]["S"]


def assign_owner(dynamodb: DynamoDBClient, table: str, job_id: str, owner: str) -> bool:
    """Store the owner of one job; return False if the job has an owner by now or was deleted."""
    try:
        dynamodb.update_item(
            TableName=table,
            Key={"jobId": {"S": job_id}},
            UpdateExpression="SET #owner = :owner",
            ConditionExpression="attribute_exists(jobId) AND attribute_not_exists(#owner)",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def run(dynamodb: DynamoDBClient, table: str, owner: str, *, write: bool) -> int:
    """Count the jobs without an owner, or assign one; return the exit status."""
    found = changed = 0
    for job_id in find_jobs_without_owner(dynamodb, table):
        found += 1
        changed += write and assign_owner(dynamodb, table, job_id, owner)
    if write:
        print(f"{changed} of {found} jobs without an owner belong to {owner} now")
    else:
        print(f"{found} jobs have no owner; nothing was changed (--write, or DRY_RUN=0, makes them {owner}'s)")
    return 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="assign_zip_owners.sh")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("owner")
    arguments = parser.parse_args()
    try:
        owner = normalize_owner(arguments.owner)
        dynamodb = boto3.client("dynamodb", region_name=os.environ.get("AWS_REGION"))
        return run(dynamodb, os.environ["ZIP_JOBS_TABLE"], owner, write=arguments.write)
    except ValueError as error:
        parser.error(str(error))
    except (BotoCoreError, ClientError) as error:
        print(f"assign_zip_owners.sh: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
