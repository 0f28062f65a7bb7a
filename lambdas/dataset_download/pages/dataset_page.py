"""The HTML page of one dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from dataset_download.datasets.dataset import Dataset
from dataset_download.formats.format import Format
from dataset_download.planning.plan import Plan
from dataset_download.query.parameters import Query
from dataset_download.request.resolve import Pairs

from .catalogue import make_title
from .filter_form import show_form
from .form_fields import write_query
from .markup import Markup, join, tag
from .overview import ColumnStatistics, Preview
from .page_frame import LABELS, make_page_response, show_facts, show_number, show_size, show_table, show_time

_MAX_VALUE_LENGTH = 200
_COLUMN_HEADS = ("Column", "Type", "May be missing", "Missing", "Smallest", "Largest")


@dataclass(frozen=True)
class View:
    """The data of a dataset's page: a valid query, or an error message."""

    dataset: Dataset
    columns: Sequence[ColumnStatistics]
    pairs: Pairs
    query: Query
    plan: Plan | None
    """None: the query is invalid."""
    sample: Preview | None
    """None: no sample was read."""
    fault: str
    base_url: str


def render_dataset(request: Request, view: View, seconds: int) -> Response:
    """Return the response with the dataset's page."""
    title = make_title(view.dataset.name, view.dataset)
    children = [
        tag("h1", title),
        _show_facts(view.dataset),
        tag("p", view.fault, class_="bad", role="alert") if view.fault else None,
        tag("h2", "Download"),
        _show_downloads(view) if view.plan else tag("p", "Correct the filter to see results."),
        tag("h2", "Filter"),
        show_form(view.dataset, view.columns, view.query),
        tag("h2", "Rows"),
        _show_sample(view),
        tag("h2", "Columns"),
        show_table("From the Parquet files' own statistics", _COLUMN_HEADS, map(_show_column, view.columns)),
    ]
    status = HTTPStatus.BAD_REQUEST if view.fault else HTTPStatus.OK
    return make_page_response(request, title, children, seconds, status)


def _show_facts(dataset: Dataset) -> Markup:
    return show_facts(
        [
            ("Name", dataset.name),
            ("Rows", show_number(dataset.row_count)),
            ("Columns", show_number(len(dataset.schema))),
            ("Size", show_size(dataset.total_bytes)),
            ("Files", show_number(len(dataset.files))),
            ("Updated", show_time(dataset.last_modified)),
        ]
    )


def _show_downloads(view: View) -> Markup:
    name, query = view.dataset.name, write_query(view.pairs)
    what = "The rows that the filter finds" if view.pairs else "All rows"
    links = [
        tag("li", tag("a", _describe(view, format_), href=f"./{name}.{format_}{query}", class_="button"))
        for format_ in Format
    ]
    # A percent-encoded query string contains no character that could end the shell's single quotes.
    address = f"{view.base_url or '$BASE_URL'}/{name}.csv{query}"
    quote = "'" if view.base_url else '"'
    return join(
        [
            tag("p", f"{what}; sizes are estimates."),
            tag("ul", links, class_="links"),
            tag("p", "The same on a command line (csv, json, jsonl or parquet):"),
            tag("pre", tag("code", f"curl -fLOJ --compressed {quote}{address}{quote}", id="curl"), tabindex=0),
        ]
    )


def _describe(view: View, format_: Format) -> str:
    size = view.plan.estimate_bytes(format_) if view.plan else 0
    return f"{LABELS[format_]}, about {show_size(size)}"


def _show_sample(view: View) -> Markup:
    sample = view.sample
    if sample is None:
        return tag(
            "p", "Not shown: these rows are very large, or it takes a while to find them. The download has them."
        )
    if not sample.rows:
        return tag("p", "No rows.")
    caption = f"The first {len(sample.rows)}" if len(sample.rows) > 1 else "One row"
    columns = len(view.query.select or view.dataset.schema)
    if columns > len(sample.columns):
        caption += f", in {len(sample.columns)} of {show_number(columns)} columns"
    return show_table(caption, sample.columns, ([_show_value(value) for value in row] for row in sample.rows))


def _show_value(value: str | None) -> Markup:
    if value is None:
        return tag("td", tag("span", "missing", class_="soft"))
    return tag("td", _shorten(value), class_="text")


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_LENGTH else text[:_MAX_VALUE_LENGTH] + "…"


def _show_column(column: ColumnStatistics) -> list[Markup]:
    return [
        tag("th", column.name, scope="row"),
        tag("td", column.type),
        tag("td", "yes" if column.nullable else "no"),
        tag("td", "—" if column.nulls is None else show_number(column.nulls), class_="number"),
        tag("td", _shorten(column.minimum) if column.minimum is not None else "—", class_="text"),
        tag("td", _shorten(column.maximum) if column.maximum is not None else "—", class_="text"),
    ]
