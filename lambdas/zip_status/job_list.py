"""The list of jobs: its query parameters, its pages and the token of the next page."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import NoReturn

from .exceptions import Code, RequestRejected
from .job_record import STATUSES, JobRecord
from .job_table import JobTable
from .schemas import Body, Filter, Page, Position, Viewer
from .views import describe_owner, pick

DAYS_LISTED = 31  # today and the 30 days before: jobs live for 30 days
_DEFAULT_LIMIT = 20
_MAX_LIMIT = 100
_PARAMETERS = {"limit", "nextToken", "status"}
_JOB_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CREATED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


def list_jobs(page: Page, viewer: Viewer, jobs: JobTable, now: datetime) -> Body:
    """Return one page of the viewer's jobs, newest first, and the token of the next page if there is one."""
    found: list[JobRecord] = []
    for some in _query(page, viewer, jobs, now):
        found += some
        # One more job than requested shows whether there is a next page.
        if len(found) > page.limit:
            break
    shown = found[: page.limit]
    body: Body = {"jobs": [_summarise(record, viewer) for record in shown]}
    if len(found) > page.limit:
        body["nextToken"] = write_token(Position(shown[-1]["createdAt"], shown[-1]["jobId"]))
    return body


def _query(page: Page, viewer: Viewer, jobs: JobTable, now: datetime) -> Iterator[list[JobRecord]]:
    """Yield jobs, newest first: an owner's from the index ``byOwner``, else everybody's from ``byDay``, day by day."""
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


def _summarise(record: JobRecord, viewer: Viewer) -> Body:
    listed = pick(record, "jobId", "status", "phase", "createdAt", "targetKey", "files", "sizeBytes")
    return listed | describe_owner(record, viewer)


def parse_page(query: Mapping[str, str]) -> Page:
    """Return the values of ``limit``, ``status`` and ``nextToken``.

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
    if status is not None and status not in STATUSES:
        _reject_parameter("status", f"must be one of {', '.join(STATUSES)}")
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
