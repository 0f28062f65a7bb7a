"""From a request to a queued job: what is asked, which id it gets, and in which order it is recorded."""

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, NoReturn, Protocol

from pydantic import ValidationError

from .exceptions import Code, FieldError, RequestRejected, ServiceUnavailableError
from .keys import KEY_LIST_PREFIX, MAX_KEY_BYTES
from .schemas import ZipJobRequest, list_field_errors
from .settings import Settings

type Item = dict[str, Any]

_SOURCES_OF_KEYS = ("keys", "prefix", "manifestKey")
_IDEMPOTENCY_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
_MAX_ROUNDS = 3


class Backend(Protocol):
    """The AWS calls that recording a job needs; all raise ServiceUnavailableError on failure."""

    def create_job(self, item: Item) -> bool:
        """Write a new job; return False if its id is taken."""

    def read_job(self, job_id: str) -> Item | None:
        """Return the job as last written, or None."""

    def keep_job(self, item: Item) -> bool:
        """Mark a still queued job as promised to a second caller; return False if it is not queued any more."""

    def remove_job(self, item: Item) -> None:
        """Delete the job that this very request created, unless someone else relies on it by now."""

    def write_key_list(self, item: Item, keys: list[str]) -> None:
        """Write the request's keys to the object that the item names."""

    def send_message(self, job_id: str) -> None:
        """Queue the job."""


@dataclass(frozen=True)
class Receipt:
    """The answer to a caller: the job's id and present status, and whether this request created it."""

    job_id: str
    status: str
    created: bool


def parse_request(body: str) -> ZipJobRequest:
    """Return the checked request in the JSON text ``body``.

    Raises:
        RequestRejected: 400 naming every field that is wrong.
    """
    document = _load_object(body)
    missing: list[FieldError] = []
    if not any(name in document for name in _SOURCES_OF_KEYS):
        missing = [FieldError("keys", "one of keys, prefix and manifestKey is required")]
    try:
        request = ZipJobRequest.model_validate(document)
    except ValidationError as error:
        errors = [*list_field_errors(error), *missing]
        raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.INVALID_FIELD, errors) from None
    if missing:
        raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.MISSING_KEYS, missing)
    return request


def _load_object(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        reject_body(f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    except RecursionError:
        reject_body("nested too deeply")
    except ValueError:  # NaN and Infinity, and integers of more digits than Python converts
        reject_body("not valid JSON: a number is out of range")
    if not isinstance(document, dict):
        reject_body("must be a JSON object")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def reject_body(detail: str) -> NoReturn:
    """Raise the 400 for a body that cannot be read."""
    raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.INVALID_BODY, [FieldError("body", detail)])


def choose_job_id(idempotency_key: str | None, owner: str) -> str:
    """Return a fresh id, or the one id that ``owner`` gets for ``idempotency_key``.

    Raises:
        RequestRejected: 400 if the key is not 1 to 255 printable ASCII characters.
    """
    if idempotency_key is None:
        return str(uuid.uuid4())
    if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        detail = "must be 1 to 255 printable ASCII characters"
        errors = [FieldError("Idempotency-Key", detail)]
        raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.INVALID_IDEMPOTENCY_KEY, errors)
    return str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(["zip-jobs", owner, idempotency_key])))


def build_job(
    request: ZipJobRequest, settings: Settings, job_id: str, owner: str, now: datetime, *, idempotent: bool
) -> Item:
    """Return the job table's item for ``request``; ``now`` is in UTC.

    Raises:
        RequestRejected: 403 if a bucket is not configured, 400 if the archive's own key gets too long.
    """
    source_bucket, target_bucket = _choose_buckets(request, settings)
    target_key = _choose_target_key(request, settings, job_id)
    created_at = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    item: Item = {
        "jobId": job_id,
        "owner": owner,
        "day": created_at[:10],
        "createdAt": created_at,
        "status": "PENDING",
        "phase": "queued",
        "sourceBucket": source_bucket,
        "targetBucket": target_bucket,
        "targetKey": target_key,
        "archiveName": target_key.rpartition("/")[2],
        "paths": request.paths,
        "names": request.names,
        "onMissing": request.on_missing,
        "onUnreadable": request.on_unreadable or request.on_missing,
        "onChanged": request.on_changed,
        "compression": request.compression,
        "computeCrc": request.compute_crc,
        "presignTtlSeconds": request.presign_ttl_seconds or settings.presign_ttl_seconds,
        "requestHash": hash_request(request),
        "idempotent": idempotent,
        "ttl": int((now + timedelta(days=settings.job_ttl_days)).timestamp()),
    }
    return item | _describe_members(request, job_id)


def _describe_members(request: ZipJobRequest, job_id: str) -> Item:
    members: Item = {}
    if request.keys:
        members["keyListKey"] = f"{KEY_LIST_PREFIX}{job_id}.json"
    if request.prefix:
        members["prefix"] = request.prefix
    if request.manifest_key:
        members["manifestKey"] = request.manifest_key
    if not request.prefix and not request.manifest_key:
        members["filesTotal"] = len(request.keys)
    return members


def _choose_buckets(request: ZipJobRequest, settings: Settings) -> tuple[str, str]:
    source = request.source_bucket or settings.source_buckets[0]
    target = request.target_bucket or settings.target_buckets[0]
    detail = "not a bucket that this service is configured for"
    errors = []
    if source not in settings.source_buckets:
        errors.append(FieldError("sourceBucket", detail))
    if target not in settings.target_buckets:
        errors.append(FieldError("targetBucket", detail))
    if errors:
        raise RequestRejected(HTTPStatus.FORBIDDEN, Code.BUCKET_NOT_ALLOWED, errors)
    return source, target


def _choose_target_key(request: ZipJobRequest, settings: Settings, job_id: str) -> str:
    prefix = request.target_prefix or settings.dst_prefix
    key = f"{prefix}{job_id}/{request.archive_name}" if request.archive_name else f"{prefix}{job_id}.zip"
    if len(key.encode()) > MAX_KEY_BYTES:
        detail = f"the archive's key would be longer than {MAX_KEY_BYTES} bytes"
        raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.INVALID_FIELD, [FieldError("targetPrefix", detail)])
    return key


def hash_request(request: ZipJobRequest) -> str:
    """Return the SHA-256, in hexadecimal, of what the caller asked for.

    Spelling out a default of this API does not change it, nor does a change of the service's own settings.
    """
    asked = request.model_dump() | {"on_unreadable": request.on_unreadable or request.on_missing}
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def submit_job(item: Item, keys: list[str], backend: Backend) -> Receipt:
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


def _create(item: Item, keys: list[str], backend: Backend) -> Receipt | None:
    try:
        if not backend.create_job(item) and not _is_own(backend.read_job(item["jobId"]), item):
            return None
        _queue(item, keys, backend)
    except ServiceUnavailableError:
        backend.remove_job(item)  # also when the write itself failed: it may have arrived, only its answer not
        raise
    return Receipt(item["jobId"], item["status"], created=True)


def _is_own(existing: Item | None, item: Item) -> bool:
    # A write whose answer was lost is tried again by the SDK and then finds its own first try.
    return existing is not None and existing["createdAt"] == item["createdAt"]


def _repeat(item: Item, keys: list[str], backend: Backend) -> Receipt | None:
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


def _queue(item: Item, keys: list[str], backend: Backend) -> None:
    if keys:
        backend.write_key_list(item, keys)
    backend.send_message(item["jobId"])
