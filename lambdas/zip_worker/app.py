"""The worker's Lambda handler: SQS messages in, partial batch response out."""

import os
from contextlib import suppress
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from .clients import dynamodb_client, quick_getter, s3_client, sqs_client
from .exceptions import MessageRejectedError, TryAgainError
from .job_record import format_message
from .jobs.messages import Message, parse_job_id
from .jobs.runner import Worker
from .jobs.table import JobTable
from .logs import make_logger
from .settings import Settings

logger = make_logger("zip_worker")

type Record = dict[str, Any]


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Work on every message of the batch; the answer names those that SQS has to deliver again."""
    failed = [record["messageId"] for record in event["Records"] if not _deliver(record, context)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _deliver(record: Record, context: LambdaContext) -> bool:
    """Work on one message; say whether it is done with."""
    settings = _settings()
    hide = partial(_hide, settings.queue_url, record["receiptHandle"])
    try:
        job_id = parse_job_id(record["body"])
        logger.append_keys(job_id=job_id)
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        message = Message(record["messageId"], job_id, receives, hide)
        _make_worker(settings, message, context).process(message)
    except TryAgainError:
        return False
    except MessageRejectedError as error:
        fields = {"error": str(error), "message_id": record["messageId"]}
        logger.error("message_rejected", extra=fields)  # noqa: TRY400  # the error says it all
        hide(1)  # its remaining receives are a formality
        return False
    except Exception:
        # The job table or the queue did not answer: without this the message would be hidden for the queue's own
        # visibility timeout, which is as long as the function may run. The job may be leased to us by now.
        logger.exception("message_failed", extra={"message_id": record["messageId"]})
        with suppress(ClientError, BotoCoreError):
            hide(settings.lease_seconds + 1)
        return False
    return True


def _make_worker(settings: Settings, message: Message, context: LambdaContext) -> Worker:
    connections = settings.read_concurrency + settings.upload_concurrency + settings.copy_concurrency + 2
    owner = f"{context.aws_request_id}/{message.message_id}"
    return Worker(
        settings,
        s3=s3_client(connections),
        get_object_fast=quick_getter(connections).get,
        send=partial(_send, settings.queue_url),
        jobs=JobTable(dynamodb_client(), settings.table_name, owner, settings.lease_seconds),
        logger=logger,
        remaining_ms=context.get_remaining_time_in_millis,
    )


def _hide(queue_url: str, receipt_handle: str, seconds: int) -> None:
    sqs_client().change_message_visibility(QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds)


def _send(queue_url: str, job_id: str, delay_seconds: int) -> None:
    """Queue a job that goes on: a new message, with receives of its own."""
    sqs_client().send_message(QueueUrl=queue_url, MessageBody=format_message(job_id), DelaySeconds=delay_seconds)


@cache
def _settings() -> Settings:
    return Settings.from_environment(os.environ)
