"""The frame of all pages: HTML document, style sheet and Content-Security-Policy.

Links are relative, since a proxy may serve the pages below another path.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

from dataset_download.formats.format import Format
from dataset_download.request.headers import matches
from dataset_download.request.problem import Problem

from .markup import Child, Markup, join, raw_style, tag

_KILO = 1000


@cache
def load_style() -> str:
    """Return the style sheet."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


@cache
def make_policy() -> str:
    """Return the pages' Content-Security-Policy, which allows our own style and forms only."""
    digest = b64encode(hashlib.sha256(load_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def make_page_response(
    request: Request, title: str, children: Iterable[Child], seconds: int = 0, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """Return a page that caches may keep for ``seconds``, or a 304 if the client has it."""
    body = make_page(title, children).encode(errors="replace")
    caching = f"public, max-age={seconds}" if seconds and status == HTTPStatus.OK else "no-store"
    headers = {"Content-Security-Policy": make_policy(), "Cache-Control": caching}
    return make_tagged_response(request, body, "text/html; charset=utf-8", headers, status)


def make_tagged_response(
    request: Request, body: bytes, media_type: str, headers: dict[str, str], status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """Return a body with its hash as ETag, or a 304 if the client has it."""
    if status == HTTPStatus.OK:
        tag_ = hashlib.sha256(body).hexdigest()[:32]
        headers = {**headers, "ETag": f'"{tag_}"'}
        if matches(request.headers.get("if-none-match"), tag_):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, status, headers, media_type)


def make_page(title: str, children: Iterable[Child]) -> str:
    """Return a complete HTML document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        raw_style(load_style()),
    )
    targets = (("./", "All datasets"), ("./docs", "API"), ("./datasets.json", "As data"))
    links = tag("ul", [tag("li", tag("a", text, href=href)) for href, text in targets], class_="links")
    body = tag(
        "body",
        tag("a", "Skip to content", class_="skip", href="#content"),
        tag("header", tag("nav", links, aria_label="Site")),
        tag("main", children, id="content"),
        tag("footer", "Streamed from Parquet files by Sluice."),
    )
    return f"<!doctype html>{tag('html', head, body, lang='en')}"


def make_problem_page(request: Request, problem: Problem) -> Response:
    """Return a problem as an HTML page for browsers."""
    title = f"{problem.status.value} {problem.status.phrase}"
    children = [tag("h1", title), tag("p", problem.detail, class_="bad"), tag("p", tag("a", "All datasets", href="./"))]
    response = make_page_response(request, title, children, status=problem.status)
    response.headers.update(problem.headers)
    return response


def show_table(caption: str, heads: Iterable[Child], rows: Iterable[Iterable[Markup]]) -> Markup:
    """Return a table that scrolls separately if it is wider than the page, by keyboard too."""
    head = tag("thead", tag("tr", [tag("th", text, scope="col") for text in heads]))
    body = tag("tbody", [tag("tr", join(row)) for row in rows])
    table = tag("table", tag("caption", caption), head, body)
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=caption)


def show_facts(facts: Iterable[tuple[str, Child]]) -> Markup:
    """Return a description list of names and values."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts], class_="facts")


LABELS = MappingProxyType(
    {Format.CSV: "CSV", Format.JSON: "JSON", Format.JSONL: "JSON Lines", Format.PARQUET: "Parquet"}
)


def show_number(number: int) -> str:
    """Return 1234567 as 1,234,567."""
    return f"{number:,}"


def show_size(size: float) -> str:
    """Return a size in readable units."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < _KILO:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"  # noqa: PLR2004
        size /= _KILO
    return f"{size:.1f} TB"


def show_time(time: datetime) -> Markup:
    """Return a time in UTC, to the minute."""
    utc = time.astimezone(UTC)
    return tag("time", utc.strftime("%Y-%m-%d %H:%M UTC"), datetime=utc.strftime("%Y-%m-%dT%H:%M:%SZ"))
