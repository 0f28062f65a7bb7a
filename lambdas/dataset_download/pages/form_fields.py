"""Conversion between the fields of the filter form and a query string."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, urlencode

from dataset_download.query.parameters import RESERVED, Query
from dataset_download.request.resolve import Pairs

MARKER = "_form"
"""A parameter that marks a submitted form: the other parameters are form fields, not a query."""
OPERATORS = MappingProxyType(
    {
        "eq": "is",
        "ne": "is not",
        "contains": "contains",
        "startswith": "starts with",
        "gt": "is above",
        "gte": "is at least",
        "lt": "is below",
        "lte": "is at most",
        "null": "is missing",
        "notnull": "is not missing",
    }
)
_NULL_VALUES = MappingProxyType({"null": "true", "notnull": "false"})


@dataclass(frozen=True)
class Row:
    """A row of the form."""

    column: str = ""
    operator: str = "eq"
    value: str = ""


def read_form(pairs: Pairs) -> tuple[str, list[tuple[str, str]]]:
    """Return the pressed button (a format, or empty for the page) and the parameters made from the fields."""
    fields = _group(pairs)
    rows = zip(fields.get("column", []), fields.get("operator", []), fields.get("value", []), strict=False)
    query = [pair for column, operator, value in rows if column for pair in [_make_pair(column, operator, value)]]
    if chosen := fields.get("show", []):
        query.append(("select", _write_list(chosen)))
    if sort := fields.get("sort", [""])[0]:
        query.append(("sort", f"-{sort}" if "descending" in fields else sort))
    if limit := fields.get("limit", [""])[0].strip():
        query.append(("limit", limit))
    return fields[MARKER][0], query


def _write_list(names: Sequence[str]) -> str:
    """Return comma-separated names; names that contain a comma are quoted as in CSV."""
    if len(names) == 1:
        return names[0]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def _group(pairs: Pairs) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def _make_pair(column: str, operator: str, value: str) -> tuple[str, str]:
    if operator in _NULL_VALUES:
        return f"{column}__isnull", _NULL_VALUES[operator]
    # The plain name means equality, except for reserved names and names that end like an operator.
    is_plain = operator == "eq" and column not in RESERVED and "__" not in column
    return (column if is_plain else f"{column}__{operator}"), value


def list_rows(query: Query) -> list[Row]:
    """Return the form's rows for a query, one for each condition and value."""
    rows = []
    for condition in query.filters:
        if condition.operator == "isnull":
            rows.append(Row(condition.column, "null" if condition.values[0].as_py() else "notnull"))
        else:
            rows.extend(Row(condition.column, condition.operator, text) for text in condition.texts)
    return rows


def write_query(pairs: Sequence[tuple[str, str]]) -> str:
    """Return pairs as a query string with a question mark; empty without pairs."""
    return f"?{urlencode(pairs, quote_via=quote)}" if pairs else ""
