"""The worker's Lambda handler: SQS messages in, partial batch response out."""

import os
from contextlib import suppress
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from .clients import dynamodb_client, s3_client, signed_reader, sqs_client
from .exceptions import MessageRejectedError, TryAgainError
from .job_record import format_message
from .jobs.messages import Message, parse_job_id
from .jobs.runner import JobRunner
from .jobs.table import JobTable
from .logs import make_logger
from .settings import Settings

logger = make_logger("zip_worker")

type Record = dict[str, Any]


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Work on every message of the batch; the response names the messages that SQS must deliver again."""
    failed = [record["messageId"] for record in event["Records"] if not _deliver(record, context)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _deliver(record: Record, context: LambdaContext) -> bool:
    """Work on one message; return whether it can be deleted."""
    settings = _settings()
    change_visibility = partial(_change_visibility, settings.queue_url, record["receiptHandle"])
    try:
        job_id = parse_job_id(record["body"])
        logger.append_keys(job_id=job_id)
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        message = Message(record["messageId"], job_id, receives, change_visibility)
        _make_runner(settings, message, context).process(message)
    except TryAgainError:
        return False
    except MessageRejectedError as error:
        fields = {"error": str(error), "message_id": record["messageId"]}
        logger.error("message_rejected", extra=fields)  # noqa: TRY400  # the message is enough
        change_visibility(1)  # it is on its way to the dead-letter queue
        return False
    except Exception:
        # The job table or the queue did not respond. Without this the message would stay invisible for the queue's own
        # visibility timeout, which is as long as the function may run. This worker may hold the lease by now.
        logger.exception("message_failed", extra={"message_id": record["messageId"]})
        with suppress(ClientError, BotoCoreError):
            change_visibility(settings.lease_seconds + 1)
        return False
    return True


def _make_runner(settings: Settings, message: Message, context: LambdaContext) -> JobRunner:
    connections = settings.read_concurrency + settings.upload_concurrency + settings.copy_concurrency + 2
    owner = f"{context.aws_request_id}/{message.message_id}"
    return JobRunner(
        settings,
        s3=s3_client(connections),
        get_object_fast=signed_reader(connections).get,
        send=partial(_send, settings.queue_url),
        jobs=JobTable(dynamodb_client(), settings.table_name, owner, settings.lease_seconds),
        logger=logger,
        remaining_ms=context.get_remaining_time_in_millis,
    )


def _change_visibility(queue_url: str, receipt_handle: str, seconds: int) -> None:
    sqs_client().change_message_visibility(QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds)


def _send(queue_url: str, job_id: str, delay_seconds: int) -> None:
    """Send a new message, with a new receive count, for a job that continues."""
    sqs_client().send_message(QueueUrl=queue_url, MessageBody=format_message(job_id), DelaySeconds=delay_seconds)


@cache
def _settings() -> Settings:
    return Settings.from_environment(os.environ)
