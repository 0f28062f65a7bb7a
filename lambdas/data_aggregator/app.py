"""The data aggregator's Lambda handler: SQS messages in, partial batch response out."""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from .clients import open_clients
from .exceptions import MessageReturnedError
from .logs import make_logger
from .run.batch import Batch
from .run.metrics import put_metrics, trace
from .schemas import FINISHED
from .settings import Settings


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Bundle the objects that the batch's messages name; the response lists the messages to return to the queue."""
    settings = Settings.from_environment(os.environ)
    logger = _logger(settings.service_name, settings.log_level)

    @logger.inject_lambda_context(clear_state=True)
    def handle(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        return _handle(event, context, settings, logger)

    response: PartialItemFailureResponse = trace(handle, settings)(event, context)
    return response


def _handle(
    event: dict[str, Any], context: LambdaContext, settings: Settings, logger: Logger
) -> PartialItemFailureResponse:
    with open_clients(settings.read_concurrency) as clients:
        batch = Batch(settings, clients, logger, context.aws_request_id, context.get_remaining_time_in_millis)
        report = batch.process(event["Records"])
    put_metrics(settings.service_name, report)
    logger.info("batch_complete", extra=report.describe())

    def check_outcome(record: SQSRecord) -> None:
        outcome = report.messages[record.message_id]
        if outcome.result not in FINISHED:
            raise MessageReturnedError(outcome.reason)

    # A batch in which every message failed is a normal response too: the reasons are logged, and SQS redelivers each.
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event=event, record_handler=check_outcome, processor=processor, context=context)


@cache
def _logger(service: str, level: str) -> Logger:
    logger = make_logger(service)
    logger.setLevel(level)
    return logger
