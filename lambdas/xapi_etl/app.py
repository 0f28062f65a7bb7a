"""The ETL's Lambda handler: SQS messages in, partial batch response out; or a diagnostics report."""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from .clickhouse.http_client import find_overridden_settings
from .diagnostics import run_diagnostics
from .logs import make_logger
from .metrics import describe_runtime, put_metrics
from .settings import Settings

logger = make_logger("xapi_etl")


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Load the objects that the batch's messages name; the response lists the messages to redeliver.

    With ``{"diagnostics": true}`` the response is a diagnostics report instead.
    """
    _log_cold_start()
    if event.get("diagnostics"):
        return run_diagnostics(event, os.environ, context, logger)
    settings = Settings.from_environment(os.environ)
    logger.setLevel(settings.log_level)
    _log_overridden_settings(tuple(find_overridden_settings(settings.clickhouse.settings)))
    failed = _process(event["Records"], settings, context)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def _process(records: list[dict[str, Any]], settings: Settings, context: LambdaContext) -> list[str]:
    from .converting.tuning import tune_process  # noqa: PLC0415
    from .intake.batch import process_batch  # noqa: PLC0415  # Arrow and NumPy take most of a cold start

    tune_process()
    report = process_batch(records, settings, context.get_remaining_time_in_millis, logger)
    put_metrics(context.function_name, report.stats, len(report.failures))
    return list(report.failures)


@cache
def _log_cold_start() -> None:
    facts = {"description": "Lambda cold start runtime metadata", **describe_runtime()}
    logger.info("cold_start", extra=facts)


@cache
def _log_overridden_settings(names: tuple[str, ...]) -> None:
    if names:
        logger.warning("settings_overridden", extra={"settings": list(names)})
