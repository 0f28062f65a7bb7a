"""The queue's messages: each names one job."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from zip_worker.exceptions import MessageRejectedError


@dataclass(frozen=True, slots=True)
class Message:
    """The SQS message that brought the job."""

    message_id: str
    job_id: str
    receives: int
    """ApproximateReceiveCount."""
    hide: Callable[[int], None]
    """Changes the message's visibility timeout, seconds from now."""


def parse_job_id(body: str) -> str:
    """Return the job id of ``{"jobId": "…"}``.

    Raises:
        MessageRejectedError: the body is anything else.
    """
    try:
        job_id = json.loads(body)["jobId"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MessageRejectedError(f"the body is not a JSON object with a jobId: {type(error).__name__}") from error
    if not isinstance(job_id, str) or not job_id:
        raise MessageRejectedError("jobId is not a string")
    return job_id
