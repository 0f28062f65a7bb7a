"""The ordinary response: a resource or a range of it."""

from collections.abc import Mapping
from http import HTTPStatus

from sample_files.catalogue import Resource
from sample_files.exchange import Exchange
from sample_files.ranges import Choice, choose

_BODIED = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)


def choose_answer(
    exchange: Exchange, resource: Resource, *, ranges: bool = True, check_if_range: bool = True
) -> Choice:
    """Return the status and the range for a request; Range applies to GET only."""
    headers: Mapping[str, str] = {name.lower(): value for name, value in exchange.headers.items()}
    return choose(headers, resource, ranges=ranges and not exchange.is_head, check_if_range=check_if_range)


def list_headers(resource: Resource, choice: Choice, *, accept_ranges: bool = True) -> dict[str, str]:
    """Return the headers of a response; an empty value omits the header."""
    headers = {
        "Accept-Ranges": "bytes" if accept_ranges else "",
        "ETag": resource.etag,
        "Last-Modified": resource.last_modified,
    }
    if choice.status in _BODIED:
        headers["Content-Type"] = resource.content_type
        headers["Content-Encoding"] = resource.content_encoding
        headers["Content-Length"] = str(choice.stop - choice.start)
    else:
        headers["Content-Length"] = "" if choice.status is HTTPStatus.NOT_MODIFIED else "0"
    size = resource.body.size
    if choice.status is HTTPStatus.PARTIAL_CONTENT:
        headers["Content-Range"] = f"bytes {choice.start}-{choice.stop - 1}/{size}"
    elif choice.status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        headers["Content-Range"] = f"bytes */{size}"
    return headers


def serve(
    exchange: Exchange,
    resource: Resource,
    *,
    extra: Mapping[str, str] | None = None,
    ranges: bool = True,
    accept_ranges: bool | None = None,
) -> None:
    """Respond as a correct server; without `ranges` as one that has no ranges and says so unless `accept_ranges`."""
    choice = choose_answer(exchange, resource, ranges=ranges)
    says = ranges if accept_ranges is None else accept_ranges
    headers = list_headers(resource, choice, accept_ranges=says) | dict(extra or {})
    exchange.start(choice.status, headers.items())
    if choice.status in _BODIED:
        exchange.write_body(resource.body, choice.start, choice.stop)
