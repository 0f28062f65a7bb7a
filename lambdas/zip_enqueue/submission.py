"""The steps that record and queue a job, and find the job of an earlier equal request."""

from dataclasses import dataclass
from http import HTTPStatus

from .clients import AwsBackend
from .exceptions import Code, FieldError, RequestRejected, ServiceUnavailableError
from .job_record import JobRecord, Status

_MAX_ROUNDS = 3


@dataclass(frozen=True)
class Receipt:
    """The answer to a caller: the job's id and present status, and whether this request created it."""

    job_id: str
    status: Status
    created: bool


def submit_job(item: JobRecord, keys: list[str], backend: AwsBackend) -> Receipt:
    """Record and queue the job, or find the one that an earlier request with the same id made.

    Raises:
        RequestRejected: 422 if the id belongs to a different request.
        ServiceUnavailableError: nothing was promised to the caller, and no job of this request stays behind.
    """
    for _ in range(_MAX_ROUNDS):
        receipt = _create(item, keys, backend) or _repeat(item, keys, backend)
        if receipt:
            return receipt
    raise ServiceUnavailableError("the job kept changing while it was looked at")


def _create(item: JobRecord, keys: list[str], backend: AwsBackend) -> Receipt | None:
    try:
        if not backend.create_job(item) and not _is_own(backend.read_job(item["jobId"]), item):
            return None
        _queue(item, keys, backend)
    except ServiceUnavailableError:
        backend.remove_job(item)  # also when the write itself failed: it may have arrived, only its answer not
        raise
    return Receipt(item["jobId"], item["status"], created=True)


def _is_own(existing: JobRecord | None, item: JobRecord) -> bool:
    # A write whose answer was lost is tried again by the SDK and then finds its own first try.
    return existing is not None and existing["createdAt"] == item["createdAt"]


def _repeat(item: JobRecord, keys: list[str], backend: AwsBackend) -> Receipt | None:
    existing = backend.read_job(item["jobId"])
    if existing is None:  # the first request failed after all and took its job away: this one is now the first
        return None
    if existing["requestHash"] != item["requestHash"]:
        detail = "was used before with a different request"
        errors = [FieldError("Idempotency-Key", detail)]
        raise RequestRejected(HTTPStatus.UNPROCESSABLE_ENTITY, Code.IDEMPOTENCY_KEY_REUSED, errors)
    if existing["status"] == "PENDING" and "receives" not in existing:
        # The first request may have died before it queued the job; a second message does no harm.
        _queue(existing, keys, backend)
        if not backend.keep_job(existing):
            return None
    return Receipt(existing["jobId"], existing["status"], created=False)


def _queue(item: JobRecord, keys: list[str], backend: AwsBackend) -> None:
    if keys:
        backend.write_key_list(item, keys)
    backend.send_message(item["jobId"])
