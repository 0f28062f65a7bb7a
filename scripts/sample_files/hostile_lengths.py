"""Hostile cases about how long a body is: no length, a wrong one, none at all, no end."""

from collections.abc import Callable
from http import HTTPStatus
from itertools import count

from sample_files.bodies import RandomBody
from sample_files.exchange import Exchange
from sample_files.responses import choose_answer, list_headers, serve

_CHUNK_BYTES = 65_536
_BODIED = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)


def send_chunked(exchange: Exchange) -> None:
    """Chunked, without a length; validators and ranges only if `ranges` is yes; no end after `cut` bytes."""
    with_ranges = exchange.target.choice("ranges", "no", "yes") == "yes"
    cut, how = exchange.target.number("cut", 0), exchange.target.choice("how", "fin", "rst")
    size = max(exchange.target.number("chunk", _CHUNK_BYTES), 1)
    resource = exchange.find_resource()
    choice = choose_answer(exchange, resource, ranges=with_ranges)
    headers = list_headers(resource, choice, accept_ranges=with_ranges)
    if choice.status not in _BODIED:
        exchange.start(choice.status, headers.items())
        return
    headers |= {"Content-Length": "", "Transfer-Encoding": "chunked"}
    if not with_ranges:
        headers |= {"ETag": "", "Last-Modified": ""}
    exchange.start(choice.status, headers.items())
    is_cut = bool(cut) and choice.stop - choice.start > cut and exchange.is_turn("chunked")
    stop = choice.start + cut if is_cut else choice.stop
    for start in range(choice.start, stop, size):
        _write_chunk(exchange, b"".join(resource.body.read_blocks(start, min(start + size, stop))))
    if is_cut:
        exchange.drop(how)
    else:
        exchange.write(b"0\r\n\r\n")


def _write_chunk(exchange: Exchange, content: bytes) -> None:
    exchange.write(b"%x\r\n" % len(content) + content + b"\r\n")


def close_at_end(exchange: Exchange) -> None:
    """A body that ends with the connection; `http=1.0` answers as such a server. A client sees no loss in it."""
    resource = exchange.find_resource()
    choice = choose_answer(exchange, resource, ranges=False)
    headers = list_headers(resource, choice, accept_ranges=False)
    if exchange.target.choice("http", "1.1", "1.0") == "1.0":
        exchange.use_http_1_0()
    exchange.close_after()
    exchange.start(choice.status, (headers | {"Content-Length": "", "Connection": "close"}).items())
    if choice.status in _BODIED:
        exchange.write_body(resource.body, choice.start, choice.stop)


def promise_more(exchange: Exchange) -> None:
    """Content-Length `extra` larger than what comes, then the end of the connection, the first `times`."""
    if not exchange.is_turn("long-length"):
        serve(exchange, exchange.find_resource())
        return
    resource = exchange.find_resource()
    choice = choose_answer(exchange, resource, ranges=False)
    length = choice.stop - choice.start + exchange.target.number("extra", 10)
    headers = list_headers(resource, choice, accept_ranges=False) | {"Content-Length": str(length)}
    exchange.start(choice.status, headers.items())
    exchange.write_body(resource.body, choice.start, choice.stop)
    exchange.drop("fin")


def send_nothing(exchange: Exchange) -> None:
    """0 bytes: by Content-Length, or `how=chunked`, or `how=close`."""
    how = exchange.target.choice("how", "length", "chunked", "close")
    resource = exchange.find_resource()
    choice = choose_answer(exchange, resource, ranges=False)
    headers = list_headers(resource, choice)
    if choice.status is not HTTPStatus.OK or how == "length":
        exchange.start(choice.status, headers.items())
        return
    by = {"Transfer-Encoding": "chunked"} if how == "chunked" else {"Connection": "close"}
    exchange.start(choice.status, (headers | {"Content-Length": ""} | by).items())
    if how == "chunked":
        exchange.write(b"0\r\n\r\n")
    else:
        exchange.close_after()


def never_end(exchange: Exchange) -> None:
    """Chunks without an end."""
    exchange.start(HTTPStatus.OK, [("Content-Type", "text/csv"), ("Transfer-Encoding", "chunked")])
    if exchange.is_head:
        return
    for number in count():
        _write_chunk(exchange, b"".join(RandomBody(f"endless:{number}", _CHUNK_BYTES).read_blocks(0, _CHUNK_BYTES)))


CASES: dict[str, Callable[[Exchange], None]] = {
    "chunked": send_chunked,
    "close": close_at_end,
    "long-length": promise_more,
    "empty": send_nothing,
    "endless": never_end,
}
