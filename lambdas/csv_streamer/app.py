"""The streamer's Lambda handler: invoked by a schedule, by hand, or by itself to go on with what is left."""

import asyncio
import os
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from .clients import S3, s3_client
from .continuation import ContinuationError, Hop
from .env import SettingsError
from .exceptions import ParametersError
from .invocation import Invocation
from .logs import make_logger
from .report import Response, emit_metrics, respond
from .settings import Settings

logger = make_logger("csv_streamer")


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Fetch the files that ``config/parameters.json`` names; answer the summary, or why there is none.

    Raises:
        Exception: whatever was not foreseen, so that Lambda counts an error and repeats an asynchronous invocation.
    """
    logger.info("lambda_start")
    try:
        settings = Settings.from_environment(os.environ)
        hop = Hop.from_event(event, context.aws_request_id)
        return asyncio.run(_answer(settings, hop, context))
    except SettingsError as error:
        return _refuse(context, "lambda_fatal", HTTPStatus.INTERNAL_SERVER_ERROR, error)
    except ParametersError as error:
        return _refuse(context, "parameters_load_error", HTTPStatus.INTERNAL_SERVER_ERROR, error)
    except ContinuationError as error:
        return _refuse(context, "lambda_fatal", HTTPStatus.BAD_REQUEST, error)
    except Exception:
        logger.exception("lambda_fatal")
        emit_metrics(context.function_name, [], run_failed=True)
        raise


async def _answer(settings: Settings, hop: Hop, context: LambdaContext) -> Response:
    calls_at_once = settings.concurrency * (settings.upload_concurrency + 1)
    # A thread more for each file's abort and one for the state: neither must wait for uploads that hang.
    s3 = S3(s3_client(calls_at_once), calls_at_once + settings.concurrency + 1)
    try:
        return await Invocation(settings, s3, hop, context, logger).answer()
    finally:
        s3.close()


def _refuse(context: LambdaContext, event: str, status: HTTPStatus, error: Exception) -> Response:
    logger.error(event, extra={"error": str(error)})
    emit_metrics(context.function_name, [], run_failed=True)
    return respond(status, {"message": str(error)})
