"""The steps that record and queue a job, and find the job of an earlier equal request."""

from dataclasses import dataclass
from http import HTTPStatus

from .clients import AwsBackend
from .exceptions import Code, FieldError, RequestRejected, ServiceUnavailableError
from .job_record import JobRecord, Status

_MAX_ROUNDS = 3


@dataclass(frozen=True)
class Receipt:
    """The outcome of a request: the job's id and current status, and whether this request created it."""

    job_id: str
    status: Status
    created: bool


def submit_job(item: JobRecord, keys: list[str], backend: AwsBackend) -> Receipt:
    """Record and queue the job, or return the one that an earlier request with the same id created.

    Raises:
        RequestRejected: 422 if the id belongs to a different request.
        ServiceUnavailableError: the job was not accepted, and none of this request remains.
    """
    for _ in range(_MAX_ROUNDS):
        receipt = _create(item, keys, backend) or _repeat(item, keys, backend)
        if receipt:
            return receipt
    raise ServiceUnavailableError(f"the job changed {_MAX_ROUNDS} times while the request was handled")


def _create(item: JobRecord, keys: list[str], backend: AwsBackend) -> Receipt | None:
    try:
        if not backend.create_job(item) and not _is_own(backend.read_job(item["jobId"]), item):
            return None
        _queue(item, keys, backend)
    except ServiceUnavailableError:
        backend.remove_job(item)  # also if the write failed: only its response may have been lost
        raise
    return Receipt(item["jobId"], item["status"], created=True)


def _is_own(existing: JobRecord | None, item: JobRecord) -> bool:
    # The SDK repeats a write whose response was lost, and then finds its own first attempt.
    return existing is not None and existing["createdAt"] == item["createdAt"]


def _repeat(item: JobRecord, keys: list[str], backend: AwsBackend) -> Receipt | None:
    existing = backend.read_job(item["jobId"])
    if existing is None:  # the first request failed and removed its job: this one is now the first
        return None
    if existing["requestHash"] != item["requestHash"]:
        detail = "was used before with a different request"
        errors = [FieldError("Idempotency-Key", detail)]
        raise RequestRejected(HTTPStatus.UNPROCESSABLE_ENTITY, Code.IDEMPOTENCY_KEY_REUSED, errors)
    if existing["status"] == "PENDING" and "receives" not in existing:
        # The first request may have been killed before it queued the job; a second message does no harm.
        _queue(existing, keys, backend)
        if not backend.keep_job(existing):
            return None
    return Receipt(existing["jobId"], existing["status"], created=False)


def _queue(item: JobRecord, keys: list[str], backend: AwsBackend) -> None:
    if keys:
        backend.write_key_list(item, keys)
    backend.send_message(item["jobId"])
