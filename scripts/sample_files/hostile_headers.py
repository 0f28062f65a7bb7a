"""Hostile cases about headers: names, redirects, secrets, encodings."""

import base64
import hmac
import json
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from sample_files.exchange import Exchange
from sample_files.responses import serve
from sample_files.target import QueryError

_REDIRECTS = range(300, 400)
_LONG_NAME = "n" * 300 + ".csv"
# What a client should make of each is in README.md.
DISPOSITIONS = {
    "plain": "attachment; filename=plain_name.csv",
    "quoted": 'attachment; filename="quoted name; \\"really\\".csv"',
    "rfc5987": f"attachment; filename*=UTF-8''{quote('données été ٢٠٢٥.csv')}",
    "both": f"attachment; filename=\"fallback.csv\"; filename*=UTF-8''{quote('größe €.csv')}",
    "latin1": f"attachment; filename*=ISO-8859-1''{quote('café.csv', encoding='latin-1')}",
    "raw-utf8": 'attachment; filename="données.csv"'.encode().decode("latin-1"),
    "traversal": 'attachment; filename="../../etc/passwd"',
    "encoded-traversal": "attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd",
    "windows": 'attachment; filename="C:\\\\temp\\\\..\\\\report.csv"',
    "control": 'attachment; filename="bad\x01\x7fname.csv"',
    "encoded-control": "attachment; filename*=UTF-8''bad%00%0D%0Aname.csv",
    "dots": 'attachment; filename=".."',
    "empty": 'attachment; filename=""',
    "long": f'attachment; filename="{_LONG_NAME}"',
    "inline": "inline",
    "garbled": 'attachment; filename="never closed; filename*=nonsense',
}


def name_file(exchange: Exchange) -> None:
    """Content-Disposition in the given `style`, or a whole `value` of one's own."""
    styles = DISPOSITIONS
    value = exchange.target.text("value") or styles[exchange.target.choice("style", *styles)]
    if {"\r", "\n"} & set(value):
        raise QueryError("value has a line break")
    header = value if value.isascii() or value in styles.values() else value.encode().decode("latin-1")
    serve(exchange, exchange.find_resource(), extra={"Content-Disposition": header})


def redirect(exchange: Exchange) -> None:
    """To `to`, as it stands, after `hops` redirects to this route; `status` is 302 unless given."""
    code = exchange.target.number("status", HTTPStatus.FOUND)
    if code not in _REDIRECTS:
        raise QueryError(f"status is '{code}': expected one from 300 to 399")
    target = exchange.target.text("to")
    if not target or {"\r", "\n"} & set(target):
        raise QueryError("to is missing, or has a line break")
    hops = exchange.target.number("hops", 0)
    if hops:
        token = exchange.target.text("token")
        target = f"/hostile/redirect?status={code}&hops={hops - 1}&token={quote(token)}&to={quote(target, safe='')}"
    exchange.start(code, [("Location", target.encode().decode("latin-1")), ("Content-Length", "0")])


def redirect_for_ever(exchange: Exchange) -> None:
    """Redirect to the same URL."""
    exchange.start(HTTPStatus.FOUND, [("Location", exchange.target.raw), ("Content-Length", "0")])


def echo(exchange: Exchange) -> None:
    """The request's headers as JSON (names in lower case): shows what a client gives away."""
    headers = {name.lower(): value for name, value in exchange.headers.items()}
    exchange.answer(HTTPStatus.OK, json.dumps(headers, indent=1) + "\n", kind="application/json")


def protect(exchange: Exchange) -> None:
    """Only with the Basic credentials of `basic` (user:secret), or with `header` set to `value`; else 401."""
    name = exchange.target.text("header", "Authorization")
    credentials = base64.b64encode(exchange.target.text("basic", "user:secret").encode()).decode()
    wanted = exchange.target.text("value") or f"Basic {credentials}"
    if not hmac.compare_digest(exchange.headers.get(name, "").encode(), wanted.encode()):
        challenge = [("WWW-Authenticate", 'Basic realm="samples"')] if name.lower() == "authorization" else []
        exchange.answer(HTTPStatus.UNAUTHORIZED, "not without credentials\n", challenge)
        return
    serve(exchange, exchange.find_resource())


def serve_plainly(exchange: Exchange) -> None:
    """As asked: for the options that all routes have (`validator`, `delay`, `kbps`), and gzip."""
    serve(exchange, exchange.find_resource())


CASES: dict[str, Callable[[Exchange], None]] = {
    "name": name_file,
    "redirect": redirect,
    "redirect-loop": redirect_for_ever,
    "echo": echo,
    "protected": protect,
    "gzip": serve_plainly,
    "validator": serve_plainly,
    "slow-headers": serve_plainly,
}
