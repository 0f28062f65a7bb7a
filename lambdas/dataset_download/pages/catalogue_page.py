"""The HTML page of the catalogue."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from dataset_download.formats.format import Format

from .catalogue import Entry, Page
from .markup import Child, Markup, join, tag
from .page_frame import LABELS, make_page_response, show_number, show_size, show_table, show_time

_HEADS = ("Dataset", "Rows", "Columns", "Size", "Updated", "Download")


def render_catalogue(request: Request, page: Page, seconds: int) -> Response:
    """Return the response with the catalogue page."""
    children: list[Child] = [tag("h1", "Datasets")]
    if page.entries:
        children.append(show_table("Each can be filtered, and taken in any format", _HEADS, map(_show, page.entries)))
    else:
        children.append(tag("p", "There are no datasets here."))
    if page.following:
        children.append(tag("p", tag("a", "More datasets", href=f"./?{urlencode({'after': page.following})}")))
    return make_page_response(request, "Datasets", children, seconds)


def _show(entry: Entry) -> list[Markup]:
    name, facts = entry.listed.name, entry.facts
    updated = tag("td", show_time(entry.listed.last_modified))
    size = tag("td", show_size(entry.listed.size), class_="number")
    if facts is None:
        heading = tag("th", name, scope="row")
        return [heading, tag("td"), tag("td"), size, updated, tag("td", f"Not readable: {entry.error}", class_="text")]
    links = [_link(name, entry.title, format_) for format_ in Format]
    return [
        tag("th", tag("a", entry.title, href=f"./{name}"), scope="row"),
        tag("td", show_number(facts.rows), class_="number"),
        tag("td", show_number(facts.columns), class_="number"),
        size,
        updated,
        tag("td", join(part for link in links for part in (link, " "))),
    ]


def _link(name: str, title: str, format_: Format) -> Markup:
    label = LABELS[format_]
    return tag("a", label, href=f"./{name}.{format_}", aria_label=f"{title} as {label}")
