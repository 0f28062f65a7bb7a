"""What a job's item means: its answer, whether it is dead, the pages of the list, the download's name."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any, NoReturn, Protocol
from urllib.parse import parse_qs, quote, urlsplit

from .exceptions import Code, RequestRejected, ServiceUnavailableError
from .schemas import Answer, Filter, Item, Page, Position, Signatures, Viewer
from .settings import Settings

DAYS_LISTED = 31  # today and the 30 days before: jobs live for 30 days
_DEFAULT_LIMIT = 20
_MAX_LIMIT = 100
_STATUSES = ("PENDING", "READY", "FAILED", "CANCELLED", "EXPIRED")
_PARAMETERS = {"limit", "nextToken", "status"}
_LEASE_GRACE_SECONDS = 5  # the worker's clock and ours may differ
_JOB_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CREATED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
# RFC 8187 attr-char; letters and digits are always safe.
_SAFE_IN_EXTENDED_VALUE = "!#$&+-.^_`|~"
_UNSAFE_IN_QUOTED_VALUE = re.compile(r'[^ -~]|["\\%]')
_MAX_ROUNDS = 3
_DEATH_CODE = "worker_stopped"


class Jobs(Protocol):
    """The job table; every method raises ServiceUnavailableError if it does not answer."""

    def read_job(self, job_id: str) -> Item | None:
        """Return the job as last written, or None."""

    def finish_job(self, item: Item, values: Item) -> bool:
        """Write ``values`` if the job is still as ``item`` says (status and lease); return False if not."""

    def cancel_job(self, job_id: str, completed_at: str) -> bool:
        """Turn a PENDING job into CANCELLED; return False if it is not PENDING or does not exist."""

    def expire_job(self, job_id: str, values: Item) -> bool:
        """Write ``values`` if the job is READY; return False if it is not any more."""

    def query_day(self, day: str, wanted: Filter, limit: int, after: Position | None) -> list[Item]:
        """Return at least ``limit`` jobs of one day where there are as many, newest first, from ``after`` on."""

    def query_owner(self, owner: str, since: str, wanted: Filter, limit: int, after: Position | None) -> list[Item]:
        """Return at least ``limit`` of the owner's jobs where there are as many, newest first, from ``after`` on."""


class ArchiveStore(Protocol):
    """Where the archives are."""

    def delete(self, item: Item) -> None:
        """Delete the job's archive; raises ServiceUnavailableError if S3 does not answer."""


def is_job_id(text: str) -> bool:
    """Say whether ``text`` has the form of a job id."""
    return _JOB_ID.fullmatch(text) is not None


def read_settled_job(job_id: str, viewer: Viewer, jobs: Jobs, settings: Settings, now: datetime) -> tuple[Item, bool]:
    """Return the job, and whether it was found dead just now and has been settled as FAILED.

    Raises:
        RequestRejected: 404 if there is no such job, or it is not the viewer's to see.
    """
    item = _read(job_id, viewer, jobs)
    for _ in range(_MAX_ROUNDS):
        reason = explain_death(item, settings, now)
        if not reason:
            return item, False
        values = {"status": "FAILED", "error": reason, "errorCode": _DEATH_CODE, "completedAt": format_time(now)}
        if jobs.finish_job(item, values):
            return item | values, True
        item = _read(job_id, viewer, jobs)  # someone else was quicker: the worker took the job up, or it was cancelled
    return item, False


def _read(job_id: str, viewer: Viewer, jobs: Jobs) -> Item:
    """Return the job; one that is not the viewer's is answered exactly as one that does not exist."""
    item = jobs.read_job(job_id) if is_job_id(job_id) else None
    if item is None or not viewer.may_see(item):
        raise RequestRejected(HTTPStatus.NOT_FOUND, Code.JOB_NOT_FOUND, "There is no job of this id.")
    return item


def explain_death(item: Item, settings: Settings, now: datetime) -> str:
    """Return why a PENDING job can never end by itself, or an empty string if it still can (or has ended)."""
    lease_end = item.get("leaseExpiresAt")
    leased = lease_end is not None and float(lease_end) + _LEASE_GRACE_SECONDS >= now.timestamp()
    if item["status"] != "PENDING" or leased:
        return ""
    last = f"; before that: {item['lastError']}" if item.get("lastError") else ""
    if lease_end is not None and item.get("receives", 0) >= settings.max_receives:
        return f"the worker stopped without a word on try {item['receives']}, the last one{last}"
    # Each invocation of a long job queues a message of its own for the next.
    age = now - datetime.fromisoformat(item.get("handedOverAt") or item["createdAt"])
    if age > timedelta(seconds=settings.queue_retention_seconds):
        return f"the job waited in the queue for longer than messages are kept{last}"
    return ""


def delete_job(job_id: str, viewer: Viewer, jobs: Jobs, archives: ArchiveStore, now: datetime) -> tuple[str, bool]:
    """Cancel a PENDING job, delete the archive of a READY one; return the new status, and whether it is new.

    A READY job becomes EXPIRED before its archive goes, so that nobody is given a dead address; where the deletion
    fails, a repetition makes good for it.

    Raises:
        RequestRejected: 404 if there is no such job, 409 if it has FAILED.
    """
    for _ in range(_MAX_ROUNDS):
        item = _read(job_id, viewer, jobs)
        match item["status"]:
            case "PENDING":
                if jobs.cancel_job(job_id, format_time(now)):
                    return "CANCELLED", True
            case "CANCELLED":
                return "CANCELLED", False
            case "READY" | "EXPIRED":
                _, expired = expire_job(item, jobs, now)
                archives.delete(item)
                return "EXPIRED", expired
            case status:
                reason = f"The job is {status}: there is neither work to cancel nor an archive to delete."
                raise RequestRejected(HTTPStatus.CONFLICT, Code.JOB_HAS_NO_ARCHIVE, reason)
    raise ServiceUnavailableError("the job kept changing while it was looked at")


def expire_job(item: Item, jobs: Jobs, now: datetime) -> tuple[Item, bool]:
    """Mark a job whose archive goes or is gone as EXPIRED; return it, and whether this call did so."""
    values = {"status": "EXPIRED", "expiredAt": format_time(now)}
    expired = jobs.expire_job(item["jobId"], values)
    return {**item, **values} if expired or item["status"] == "READY" else item, expired


def describe_job(item: Item, viewer: Viewer, signatures: Signatures) -> Answer:
    """Return the answer to ``GET /zip-jobs/{jobId}``."""
    answer: Answer = {"jobId": item["jobId"], "status": item["status"], "createdAt": item["createdAt"]}
    answer |= _describe_owner(item, viewer)
    match item["status"]:
        case "PENDING":
            return answer | _describe_progress(item)
        case "READY":
            return answer | _describe_archive(item, signatures)
        case "EXPIRED":
            return answer | _pick(item, "targetBucket", "targetKey", "sizeBytes", "files", "completedAt", "expiredAt")
        case _:
            return answer | _describe_failure(item, signatures)


def _describe_owner(item: Item, viewer: Viewer) -> Answer:
    return _pick(item, "owner") if viewer.is_operator else {}


def _describe_failure(item: Item, signatures: Signatures) -> Answer:
    url = {"failedKeysUrl": signatures.key_report_url} if signatures.key_report_url else {}
    return {**_pick(item, "error", "errorCode", "failedKeys", "completedAt"), **url}


def _describe_progress(item: Item) -> Answer:
    return {
        "phase": item["phase"],
        "filesDone": item.get("filesDone", 0),
        "filesTotal": item.get("filesTotal"),
        "bytesDone": item.get("bytesDone", 0),
        "bytesTotal": item.get("bytesTotal"),
        "bytesCopied": item.get("bytesCopied", 0),
        "bytesStreamed": item.get("bytesStreamed", 0),
        "percent": _compute_percent(item),
        **_pick(item, "lastError"),
    }


def _compute_percent(item: Item) -> float | None:
    # Bytes tell more than files, but are unknown until the worker has seen every object.
    for done, total in (("bytesDone", "bytesTotal"), ("filesDone", "filesTotal")):
        if item.get(total):
            return min(100.0, round(100 * int(item.get(done, 0)) / int(item[total]), 1))
    return None


def _describe_archive(item: Item, signatures: Signatures) -> Answer:
    report = {"skippedKeysUrl": signatures.key_report_url} if signatures.key_report_url else {}
    return {
        "downloadUrl": signatures.archive_url,
        "expiresAt": signatures.expires_at,
        **_pick(item, "targetBucket", "targetKey", "sizeBytes", "crc32", "etag", "files"),
        **_pick(item, "bytesCopied", "bytesStreamed"),
        "skipped": item.get("skipped", 0),
        "skippedKeys": item.get("skippedKeys", []),
        **report,
        **_pick(item, "completedAt"),
    }


def _pick(item: Item, *names: str) -> Item:
    return {name: item[name] for name in names if name in item}


def list_jobs(page: Page, viewer: Viewer, jobs: Jobs, now: datetime) -> Answer:
    """Return one page of the viewer's jobs, newest first, and the token of the next page if there is one."""
    found: list[Item] = []
    for some in _query(page, viewer, jobs, now):
        found += some
        # One job more than asked for tells whether there is a next page.
        if len(found) > page.limit:
            break
    shown = found[: page.limit]
    answer: Answer = {"jobs": [_summarise(item, viewer) for item in shown]}
    if len(found) > page.limit:
        answer["nextToken"] = write_token(Position(shown[-1]["createdAt"], shown[-1]["jobId"]))
    return answer


def _query(page: Page, viewer: Viewer, jobs: Jobs, now: datetime) -> Iterator[list[Item]]:
    """Yield jobs, newest first: an owner's from an index of their own, else everybody's, day by day."""
    days = list(_walk_days(page, now))
    if viewer.is_operator or viewer.is_shared:
        wanted = Filter(page.status, None if viewer.is_operator else viewer.owner)
        for day in days:
            yield jobs.query_day(day, wanted, page.limit + 1, page.after)
    elif days:
        yield jobs.query_owner(viewer.owner, days[-1], Filter(page.status), page.limit + 1, page.after)


def _walk_days(page: Page, now: datetime) -> Iterator[str]:
    oldest = now.date() - timedelta(days=DAYS_LISTED - 1)
    day = min(date.fromisoformat(page.after.created_at[:10]), now.date()) if page.after else now.date()
    while day >= oldest:
        yield day.isoformat()
        day -= timedelta(days=1)


def _summarise(item: Item, viewer: Viewer) -> Answer:
    listed = _pick(item, "jobId", "status", "phase", "createdAt", "targetKey", "files", "sizeBytes")
    return listed | _describe_owner(item, viewer)


def parse_page(query: Mapping[str, str]) -> Page:
    """Return what ``limit``, ``status`` and ``nextToken`` ask for.

    Raises:
        RequestRejected: 400 naming the parameter that is wrong.
    """
    for name in query:
        if name not in _PARAMETERS:
            _reject_parameter(
                name[:100] or "(no name)", f"is not a parameter; known are {', '.join(sorted(_PARAMETERS))}"
            )
    limit = query.get("limit", str(_DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= _MAX_LIMIT:
        _reject_parameter("limit", f"must be a number from 1 to {_MAX_LIMIT}")
    status = query.get("status")
    if status is not None and status not in _STATUSES:
        _reject_parameter("status", f"must be one of {', '.join(_STATUSES)}")
    token = query.get("nextToken")
    return Page(int(limit), None if token is None else read_token(token), status)


def _reject_parameter(name: str, reason: str) -> NoReturn:
    raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.INVALID_PARAMETER, reason, field=name)


def write_token(position: Position) -> str:
    """Return ``position`` as an opaque token for use in a query string."""
    text = json.dumps([position.created_at, position.job_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(token: str) -> Position:
    """Return the position in ``token``; raise a 400 RequestRejected if :func:`write_token` cannot have made it."""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        created_at, job_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        _check_position(created_at, job_id)
    except (ValueError, TypeError, RecursionError):
        reason = "is not a token of this API"
        raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.INVALID_PARAMETER, reason, field="nextToken") from None
    return Position(created_at, job_id)


def _check_position(created_at: str, job_id: str) -> None:
    if not _CREATED_AT.fullmatch(created_at) or not _JOB_ID.fullmatch(job_id):
        raise ValueError(created_at, job_id)
    datetime.fromisoformat(created_at)


def name_download(item: Item) -> str:
    """Return the Content-Disposition that saves the archive under its own name (RFC 6266).

    A name beyond plain ASCII is given twice: simplified for old clients, and in full as ``filename*`` (RFC 8187).
    """
    name = item.get("archiveName") or item["targetKey"].rpartition("/")[2]
    plain = _UNSAFE_IN_QUOTED_VALUE.sub("_", name)
    header = f'attachment; filename="{plain}"'
    if plain == name:
        return header
    return f"{header}; filename*=UTF-8''{quote(name, safe=_SAFE_IN_EXTENDED_VALUE)}"


def read_expiry(url: str) -> str:
    """Return when a URL signed with Signature Version 4 stops working, from what it says itself."""
    query: dict[str, Any] = parse_qs(urlsplit(url).query)
    signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return format_time(signed + timedelta(seconds=int(query["X-Amz-Expires"][0])))


def format_time(moment: datetime) -> str:
    """Return a UTC ``moment`` as ISO 8601 with ``Z``, with microseconds as in all times of the job table."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
