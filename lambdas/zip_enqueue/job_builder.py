"""The job record that a request makes: its id, its attributes and the hash of the request."""

import hashlib
import json
import re
import uuid
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import cast

from .exceptions import Code, FieldError, RequestRejected
from .job_record import SERVICE_PREFIX, JobRecord, Policy, format_time
from .keys import MAX_KEY_BYTES
from .schemas import ZipJobRequest
from .settings import Settings

_IDEMPOTENCY_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")


def choose_job_id(idempotency_key: str | None, owner: str) -> str:
    """Return a new id, or the one that ``owner`` always gets for ``idempotency_key``.

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
) -> JobRecord:
    """Return the job record for ``request``; ``now`` is in UTC.

    Raises:
        RequestRejected: 403 if a bucket is not configured, 400 if the archive's key would be too long.
    """
    source_bucket, target_bucket = _choose_buckets(request, settings)
    target_key = _choose_target_key(request, settings, job_id)
    created_at = format_time(now)
    item: JobRecord = {
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
        "onUnreadable": cast("Policy", request.on_unreadable or request.on_missing),
        "onChanged": request.on_changed,
        "compression": request.compression,
        "computeCrc": request.compute_crc,
        "presignTtlSeconds": request.presign_ttl_seconds or settings.presign_ttl_seconds,
        "requestHash": hash_request(request),
        "idempotent": idempotent,
        "ttl": int((now + timedelta(days=settings.job_ttl_days)).timestamp()),
    }
    return item | _describe_members(request, job_id)


def _describe_members(request: ZipJobRequest, job_id: str) -> JobRecord:
    members: JobRecord = {}
    if request.keys:
        members["keyListKey"] = f"{SERVICE_PREFIX}{job_id}.json"
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
    """Return the SHA-256 of the request, in hexadecimal.

    It is the same whether the caller spells out a default or omits it, and does not depend on the service's settings.
    """
    fields = request.model_dump() | {"on_unreadable": request.on_unreadable or request.on_missing}
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
