"""The queue's messages: each names one job."""

from collections.abc import Callable
from dataclasses import dataclass

from zip_worker.exceptions import MessageRejectedError
from zip_worker.job_record import parse_message


@dataclass(frozen=True, slots=True)
class Message:
    """The SQS message that names the job."""

    message_id: str
    job_id: str
    receives: int
    """ApproximateReceiveCount."""
    change_visibility: Callable[[int], None]
    """Sets the message's visibility timeout, seconds from now."""


def parse_job_id(body: str) -> str:
    """Return the job id of ``{"jobId": "…"}``.

    Raises:
        MessageRejectedError: the body is anything else.
    """
    try:
        return parse_message(body)
    except ValueError as error:
        raise MessageRejectedError(str(error)) from error
