"""The hostile mode: faulty servers, one case a route. README.md lists the cases."""

import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

from sample_files import hostile_headers, hostile_lengths
from sample_files.exchange import Exchange
from sample_files.ranges import Choice
from sample_files.responses import choose_answer, list_headers, serve
from sample_files.target import QueryError

_ERROR_CODES = range(400, 600)
_TRICKLE_PAUSE_SECONDS = 0.1


def answer_status(exchange: Exchange) -> None:
    """`code` (and `retry_after`) the first `times`, or always; then as asked."""
    code = exchange.target.number("code", HTTPStatus.SERVICE_UNAVAILABLE)
    if code not in _ERROR_CODES:
        raise QueryError(f"code is '{code}': expected one from 400 to 599")
    if not exchange.is_turn("status", count_heads=True):
        serve(exchange, exchange.find_resource())
        return
    pause = exchange.target.text("retry_after")
    if pause == "date":
        pause = formatdate(time.time() + 1, usegmt=True)
    content = f"this server answers {code}\n".encode()
    headers = [("Retry-After", pause), ("Content-Length", str(len(content))), ("Content-Type", "text/plain")]
    exchange.start(code, headers)
    exchange.write(content)


def answer_not_modified(exchange: Exchange) -> None:
    """304 to everybody, whether or not a condition was set."""
    resource = exchange.find_resource()
    exchange.start(HTTPStatus.NOT_MODIFIED, [("ETag", resource.etag), ("Last-Modified", resource.last_modified)])


def drop(exchange: Exchange) -> None:
    """End the connection after `every` bytes of each answer; `ranges` and `changes` say what a resume finds."""
    every, how = exchange.target.number("every", 100_000), exchange.target.choice("how", "fin", "rst")
    ranges = exchange.target.choice("ranges", "yes", "no", "ignored")
    check_if_range = exchange.target.choice("if_range", "checked", "ignored") == "checked"
    changes = exchange.target.number("changes", 0)
    newer = min(_count_earlier(exchange, "drop-change"), changes) if changes else 0
    resource = exchange.find_resource(newer=newer)
    choice = choose_answer(exchange, resource, ranges=ranges == "yes", check_if_range=check_if_range)
    exchange.start(choice.status, list_headers(resource, choice, accept_ranges=ranges != "no").items())
    if choice.stop - choice.start <= every or not exchange.is_turn("drop") or (changes and newer == changes):
        exchange.write_body(resource.body, choice.start, choice.stop)
        return
    exchange.write_body(resource.body, choice.start, choice.start + every)
    exchange.drop(how)


def _count_earlier(exchange: Exchange, case: str) -> int:
    counted = exchange.request_log.peek if exchange.is_head else exchange.request_log.count
    return counted(case, exchange.token)


def ignore_range(exchange: Exchange) -> None:
    """200 with the whole body although ranges are advertised; the connection is not dropped."""
    serve(exchange, exchange.find_resource(), ranges=False, accept_ranges=True)


def stall(exchange: Exchange) -> None:
    """Go silent for `seconds` after `after` bytes, the first `times`; then go on, or end if `then` is drop."""
    resource = exchange.find_resource()
    choice = choose_answer(exchange, resource)
    headers = list_headers(resource, choice)
    middle = min(choice.start + exchange.target.number("after", 100_000), choice.stop)
    then = exchange.target.choice("then", "continue", "drop")
    seconds = exchange.target.seconds("seconds", 5.0)
    exchange.start(choice.status, headers.items())
    exchange.write_body(resource.body, choice.start, middle)
    if middle < choice.stop and exchange.is_turn("stall"):
        time.sleep(seconds)
        if then == "drop":
            exchange.drop("fin")
            return
    exchange.write_body(resource.body, middle, choice.stop)


def trickle(exchange: Exchange) -> None:
    """Send `step` bytes every `pause` seconds."""
    resource = exchange.find_resource()
    choice = choose_answer(exchange, resource)
    step = max(exchange.target.number("step", 1_000), 1)
    pause = exchange.target.seconds("pause", _TRICKLE_PAUSE_SECONDS)
    exchange.start(choice.status, list_headers(resource, choice).items())
    if exchange.is_head:
        return
    for start in range(choice.start, choice.stop, step):
        exchange.write_body(resource.body, start, min(start + step, choice.stop))
        time.sleep(pause)


def limit_connections(exchange: Exchange) -> None:
    """Serve at most `connections` requests of a token at once; `code` (429) to any more."""
    code = exchange.target.number("code", HTTPStatus.TOO_MANY_REQUESTS)
    limit = exchange.target.number("connections", 1)
    if not exchange.request_log.enter(exchange.token, limit):
        exchange.answer(HTTPStatus(code), "too many at once\n", [("Retry-After", exchange.target.text("retry_after"))])
        return
    try:
        serve(exchange, exchange.find_resource())
    finally:
        exchange.request_log.leave(exchange.token)


def hang_up(exchange: Exchange) -> None:
    """End the connection without a response, the first `times`."""
    if exchange.is_turn("hang-up", count_heads=True):
        exchange.drop(exchange.target.choice("how", "fin", "rst"))
        return
    serve(exchange, exchange.find_resource())


def talk_garbage(exchange: Exchange) -> None:
    """Send bytes that are not HTTP, the first `times`."""
    if exchange.is_turn("garbage", count_heads=True):
        exchange.write_raw(b"SSH-2.0-not_http_at_all\r\n\0\xff\r\n\r\n")
        exchange.close_after()
        return
    serve(exchange, exchange.find_resource())


def refuse_head(exchange: Exchange) -> None:
    """405 to HEAD; GET as usual."""
    if exchange.is_head:
        exchange.answer(HTTPStatus.METHOD_NOT_ALLOWED, "no HEAD here\n", [("Allow", "GET")])
        return
    serve(exchange, exchange.find_resource())


def shift_range(exchange: Exchange) -> None:
    """Drop once after `every` bytes, then answer ranges wrongly as `wrong` says, the first `times`."""
    resource = exchange.find_resource()
    choice = choose_answer(exchange, resource)
    headers = list_headers(resource, choice)
    every = exchange.target.number("every", 100_000)
    if choice.status is not HTTPStatus.PARTIAL_CONTENT:
        exchange.start(choice.status, headers.items())
        exchange.write_body(resource.body, choice.start, min(choice.start + every, choice.stop))
        if every < choice.stop - choice.start and not exchange.is_head:
            exchange.drop("fin")
        return
    wrong = exchange.target.choice("wrong", "start", "size", "missing", "unit", "wider", "garbled", "etag")
    if not exchange.is_turn("wrong-range"):
        wrong = ""
    sent = _falsify(wrong, headers, choice, resource.body.size)
    exchange.start(choice.status, headers.items())
    exchange.write_body(resource.body, sent.start, sent.stop)


def _falsify(wrong: str, headers: dict[str, str], choice: Choice, size: int) -> Choice:
    """Change the headers, and return the bytes to send."""
    start, stop = choice.start, choice.stop
    if wrong == "start":
        start = max(start - 1, 0) if start else 1
    elif wrong == "wider":
        start = 0
    if wrong in {"start", "wider"}:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        headers["Content-Length"] = str(stop - start)
    elif wrong == "size":
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size + 1}"
    elif wrong == "missing":
        headers["Content-Range"] = ""
    elif wrong == "unit":
        headers["Content-Range"] = f"lines {start}-{stop - 1}/{size}"
    elif wrong == "garbled":
        headers["Content-Range"] = "bytes some-of/it"
    elif wrong == "etag":
        headers["ETag"] = '"of-something-else"'
    return Choice(choice.status, start, stop)


CASES: dict[str, Callable[[Exchange], None]] = {
    "status": answer_status,
    "not-modified": answer_not_modified,
    "drop": drop,
    "ignore-range": ignore_range,
    "wrong-range": shift_range,
    "stall": stall,
    "trickle": trickle,
    "limited": limit_connections,
    "hang-up": hang_up,
    "garbage": talk_garbage,
    "no-head": refuse_head,
    **hostile_lengths.CASES,
    **hostile_headers.CASES,
}
