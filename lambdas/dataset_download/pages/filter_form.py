"""The filter form of a dataset's page."""

from collections.abc import Sequence

from dataset_download.datasets.dataset import Dataset
from dataset_download.formats.format import Format
from dataset_download.query.parameters import Query

from .form_fields import MARKER, OPERATORS, Row, list_rows
from .markup import Attribute, Markup, tag
from .overview import ColumnStatistics
from .page_frame import LABELS

_SPARE_ROWS = 2
_MAX_OPTIONS = 20_000
_LIST = "columns"
_MAX_LIMIT_DIGITS = 10**12


def show_form(dataset: Dataset, columns: Sequence[ColumnStatistics], query: Query) -> Markup:
    """Return a form filled with ``query``; it works without scripts, since each button submits its own action."""
    rows = [*list_rows(query), *[Row()] * _SPARE_ROWS]
    filterable = [column.name for column in columns if column.filterable]
    is_long = len(rows) * len(filterable) > _MAX_OPTIONS
    lines = [_show_row(number, row, filterable, is_long=is_long) for number, row in enumerate(rows, start=1)]
    if is_long:
        lines.append(tag("datalist", [tag("option", value=name) for name in filterable], id=_LIST))
    buttons = [
        tag("button", "Show the rows", type="submit", name=MARKER, value="", class_="plain"),
        *(tag("button", f"Download {LABELS[item]}", type="submit", name=MARKER, value=item.value) for item in Format),
    ]
    return tag(
        "form",
        tag("fieldset", tag("legend", "Rows where"), lines),
        _show_order(columns, query),
        _show_columns(columns, query),
        tag("div", buttons, class_="links"),
        method="get",
        action=f"./{dataset.name}",
        id="filter",
    )


def _show_row(number: int, row: Row, names: Sequence[str], *, is_long: bool) -> Markup:
    values = {"id": f"value-{number}", "name": "value", "value": row.value, "type": "text", "autocomplete": "off"}
    if is_long:  # one shared list for all rows
        column = tag("input", id=f"column-{number}", name="column", value=row.column, list=_LIST, autocomplete="off")
    else:
        column = _select("column", f"column-{number}", names, row.column)
    return tag(
        "div",
        _label(f"Column {number}", f"column-{number}", column),
        _label(f"Condition {number}", f"operator-{number}", _select_operator(number, row.operator)),
        _label(f"Value {number}", f"value-{number}", tag("input", **values)),
        class_="row",
    )


def _label(text: str, target: str, control: Markup) -> Markup:
    return tag("div", tag("label", text, for_=target), control)


def _select(name: str, identity: str, choices: Sequence[str], chosen: str) -> Markup:
    options = [tag("option", "—", value="")]
    options += [tag("option", choice, value=choice, selected=choice == chosen) for choice in choices]
    return tag("select", options, name=name, id=identity)


def _select_operator(number: int, chosen: str) -> Markup:
    options = [tag("option", text, value=key, selected=key == chosen) for key, text in OPERATORS.items()]
    return tag("select", options, name="operator", id=f"operator-{number}")


def _show_order(columns: Sequence[ColumnStatistics], query: Query) -> Markup:
    first = query.sort[0] if query.sort else None
    sortable = [column.name for column in columns if column.sortable]
    limit: dict[str, Attribute] = {"id": "limit", "name": "limit", "type": "number", "min": 0, "max": _MAX_LIMIT_DIGITS}
    box = tag("input", type="checkbox", name="descending", checked=bool(first and first.descending))
    return tag(
        "fieldset",
        tag("legend", "Order and number"),
        tag(
            "div",
            _label("Sort by", "sort", _select("sort", "sort", sortable, first.column if first else "")),
            tag("div", tag("label", box, " Largest first"), class_="checks"),
            _label("At most so many rows", "limit", tag("input", value=query.limit, **limit)),
            class_="row",
        ),
    )


def _show_columns(columns: Sequence[ColumnStatistics], query: Query) -> Markup:
    chosen = set(query.select or ())
    boxes = [
        tag("label", tag("input", type="checkbox", name="show", value=name, checked=name in chosen), f" {name}")
        for name in (column.name for column in columns)
    ]
    return tag("fieldset", tag("legend", "Columns (none ticked: all)"), tag("div", boxes, class_="checks"))
