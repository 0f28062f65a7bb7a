"""The streamer's Lambda handler, invoked by a schedule, by hand, or by itself to continue a run."""

import asyncio
import os
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from .clients import S3, s3_client
from .env import SettingsError
from .exceptions import EventError, ParametersError
from .inputs.parameters import read_event
from .logs import make_logger
from .run.continuation import Hop
from .run.invocation import Invocation
from .run.report import Response, emit_metrics, refuse
from .settings import Settings

logger = make_logger("csv_streamer")


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Fetch the files that the event or ``config/parameters.json`` names; return the summary or the error.

    Raises:
        Exception: any unexpected error, so that Lambda counts it and retries an asynchronous invocation.
    """
    logger.info("lambda_start")
    try:
        settings = Settings.from_environment(os.environ)
        hop = Hop.from_event(event, context.aws_request_id)
        entries = read_event(event) if hop.number == 1 else None
        return asyncio.run(_answer(settings, hop, context, entries))
    except SettingsError as error:
        return _refuse(context, "lambda_fatal", HTTPStatus.INTERNAL_SERVER_ERROR, error, "settings_invalid")
    except ParametersError as error:
        return _refuse(context, "parameters_load_error", HTTPStatus.INTERNAL_SERVER_ERROR, error, error.code)
    except EventError as error:
        return _refuse(context, "lambda_fatal", HTTPStatus.BAD_REQUEST, error, error.code)
    except Exception:
        logger.exception("lambda_fatal")
        emit_metrics(context.function_name, [], run_failed=True)
        raise


async def _answer(settings: Settings, hop: Hop, context: LambdaContext, entries: list[Any] | None) -> Response:
    calls_at_once = settings.concurrency * (settings.upload_concurrency + 1)
    # One more thread for each file's abort, and for state and lease: these must not wait for hanging uploads.
    s3 = S3(s3_client(calls_at_once), calls_at_once + settings.concurrency + 2)
    try:
        return await Invocation(settings, s3, hop, context, logger, entries).respond()
    finally:
        s3.close()


def _refuse(context: LambdaContext, event: str, status: HTTPStatus, error: Exception, code: str) -> Response:
    logger.error(event, extra={"error": str(error), "code": code})
    emit_metrics(context.function_name, [], run_failed=True)
    logger.info("lambda_complete", extra={"status": int(status)})
    return refuse(status, str(error), code)
