"""List dead letters, or send them back: see `scripts/redrive.sh --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lib.common.settings import is_loopback
from lib.operations.dead_letters import (
    Letter,
    carry_attributes,
    count_reasons,
    give_back,
    is_copy,
    pair_copies,
    read_recorded,
    take_messages,
)

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_PROGRESS_SECONDS = 1.0


class RedriveError(Exception):
    """The queue is not a dead-letter queue whose messages can be redriven."""


def find_queue(sqs: SQSClient, queue: str) -> str:
    """Return the URL of a queue that is given by its name or URL."""
    return queue if "://" in queue else sqs.get_queue_url(QueueName=queue)["QueueUrl"]


def find_source(sqs: SQSClient, dlq_url: str) -> str:
    """Return the URL of the one queue that redrives to this one.

    Raises:
        RedriveError: no queue or more than one redrives to it.
    """
    if is_loopback(os.environ.get("AWS_ENDPOINT_URL", "")):  # the emulator cannot tell, but the names do
        return dlq_url.removesuffix("-dlq")
    sources = sqs.list_dead_letter_source_queues(QueueUrl=dlq_url)["queueUrls"]
    if len(sources) != 1:
        raise RedriveError(f"{len(sources)} queues name {dlq_url} as their dead-letter queue, not one")
    return sources[0]


def fill_in_reasons(dlq_url: str, letters: list[Letter]) -> None:
    """Read the reasons of the data aggregator's dead letters from its table, if the queue belongs to it."""
    table, its_queue = os.environ.get("IDEMPOTENCY_TABLE"), os.environ.get("AGGREGATOR_DLQ_URL", "")
    if not table or its_queue.rpartition("/")[2] != dlq_url.rpartition("/")[2]:
        return
    try:
        read_recorded(boto3.client("dynamodb"), table, letters)
    except (ClientError, BotoCoreError) as error:
        print(f"redrive.sh: the reasons in {table} cannot be read: {error}", file=sys.stderr)


def send_back(sqs: SQSClient, functions: LambdaClient, letter: Letter, source_url: str) -> None:
    """Send one dead letter back to where it failed; it is still in its queue afterwards.

    Raises:
        ClientError: the destination rejects the message.
        RedriveError: the destination rejects the invocation.
    """
    record = letter.invocation
    if record is None:
        attributes = carry_attributes(letter.message)
        sqs.send_message(QueueUrl=source_url, MessageBody=letter.message["Body"], MessageAttributes=attributes)
        return
    answer = functions.invoke(
        FunctionName=record["requestContext"]["functionArn"].removesuffix(":$LATEST"),
        InvocationType="Event",
        Payload=json.dumps(record["requestPayload"]).encode(),
    )
    if answer["StatusCode"] != HTTPStatus.ACCEPTED:
        raise RedriveError(f"Lambda answered {answer['StatusCode']}")


def send_all(sqs: SQSClient, functions: LambdaClient, dlq_url: str, letters: list[Letter]) -> list[Letter]:
    """Send letters back, and delete each after that; return those that are still to be sent.

    The first failure ends the run: a destination that rejects one letter usually rejects the next.
    """
    source_url = find_source(sqs, dlq_url) if any(letter.invocation is None for letter in letters) else ""
    said = time.monotonic()
    for done, letter in enumerate(letters):
        try:
            send_back(sqs, functions, letter, source_url)
        except (ClientError, BotoCoreError, RedriveError) as error:
            print(f"not sent: {letter.subject}: {error}", file=sys.stderr)
            return letters[done:]
        # Deleted last: after any earlier failure the message is in one of the two queues, or in both.
        for message in (letter.message, *letter.copies):
            sqs.delete_message(QueueUrl=dlq_url, ReceiptHandle=message["ReceiptHandle"])
        if time.monotonic() - said > _PROGRESS_SECONDS:
            said = time.monotonic()
            print(f"  {done + 1} of {len(letters)}", flush=True)
    return []


def move_all(sqs: SQSClient, dlq_url: str) -> int:
    """Have SQS move all of a queue to where it came from; return how many messages it moved.

    Raises:
        RedriveError: SQS ended the task early; what it did not move is in the queue.
    """
    arn = sqs.get_queue_attributes(QueueUrl=dlq_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.start_message_move_task(SourceArn=arn)
    while True:
        task = sqs.list_message_move_tasks(SourceArn=arn, MaxResults=1)["Results"][0]
        moved = task.get("ApproximateNumberOfMessagesMoved", 0)
        if task["Status"] == "COMPLETED":
            return moved
        if task["Status"] != "RUNNING":
            raise RedriveError(f"SQS moved {moved} messages, then: {task['Status']} {task.get('FailureReason', '')}")
        print(f"  {moved} of about {task.get('ApproximateNumberOfMessagesToMove', '?')}", flush=True)
        time.sleep(_PROGRESS_SECONDS)


def print_letters(letters: list[Letter], *, is_all: bool) -> None:
    """Print each letter on a line, and the count of each reason."""
    for letter in letters:
        attributes = letter.message.get("Attributes", {})
        sent = int(attributes.get("SentTimestamp", "0")) / 1000
        age = f"{(time.time() - sent) / 3600:.1f} h" if sent else "?"
        print(f"{letter.message['MessageId']}  {age:>8}  {letter.subject}")
        if letter.reason:
            print(f"    {letter.reason}")
    print(f"{len(letters)} dead letters{'' if is_all else ' (there may be more: --limit)'}")
    for reason, count in count_reasons(letters):
        print(f"  {count:>6}  {reason}")


def run(sqs: SQSClient, functions: LambdaClient, dlq_url: str, *, match: str, limit: int, send: bool) -> int:
    """List a queue's letters and, with `--send`, redrive them; return the number of failures."""
    held: list[MessageTypeDef] = take_messages(sqs, dlq_url, limit)
    try:
        paired = pair_copies(held)
        fill_in_reasons(dlq_url, paired)
        letters = [letter for letter in paired if letter.has(match)]
        print_letters(letters, is_all=len(held) < limit)
        if not send or not letters:
            print("nothing was changed" if letters else "nothing to do")
            return 0
        has_copies = any(map(is_copy, held))
        by_hand = match or has_copies or letters[0].invocation or is_loopback(os.environ.get("AWS_ENDPOINT_URL", ""))
        if not by_hand:
            give_back(sqs, dlq_url, held)
            held = []
            print(f"SQS moved {move_all(sqs, dlq_url)} messages back")
            return 0
        left = send_all(sqs, functions, dlq_url, letters)
        sent = letters[: len(letters) - len(left)]
        gone = {id(message) for letter in sent for message in (letter.message, *letter.copies)}
        held = [message for message in held if id(message) not in gone]
        print(f"{len(sent)} sent back, {len(left)} left")
        return len(left)
    finally:
        give_back(sqs, dlq_url, held)


def main() -> int:
    """Run from the command line; the exit status is 1 if a letter could not be sent back."""
    parser = argparse.ArgumentParser(prog="redrive", description=__doc__)
    parser.add_argument("queue")
    parser.add_argument("--send", action="store_true")
    parser.add_argument("--match", default="")
    parser.add_argument("--limit", type=int, default=1000)
    given = parser.parse_args()
    sqs, functions = boto3.client("sqs"), boto3.client("lambda")
    try:
        dlq_url = find_queue(sqs, given.queue)
        return min(1, run(sqs, functions, dlq_url, match=given.match, limit=given.limit, send=given.send))
    except (ClientError, BotoCoreError, RedriveError) as error:
        print(f"redrive.sh: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
