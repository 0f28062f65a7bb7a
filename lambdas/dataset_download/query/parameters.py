"""Parser of request parameters into a query on a dataset's columns."""

import csv
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa  # type: ignore[import-untyped]

from dataset_download.exceptions import QueryError

from .columns import is_text, unwrap
from .literals import InvalidValueError, is_filterable, is_ordered, parse_flag, parse_value

RESERVED = frozenset({"select", "sort", "limit", "offset"})
"""Reserved parameter names. A column with such a name is filtered with an operator: `limit__eq=5`."""
OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "contains", "startswith", "isnull")
ORDERING = frozenset({"gt", "gte", "lt", "lte"})
TEXTUAL = frozenset({"contains", "startswith"})
ORGANISATION = "organisation-entity"
"""The parameter that filters by organisation, whatever the name of the column."""
COMPARED_TEXT = {b"compared": b"as a number"}
"""Field metadata that marks text which is compared as a number of the field's type."""
COUNT = re.compile(r"[0-9]{1,18}")
SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Filter:
    """A condition on one column. Filters are combined by AND. A null passes isnull only."""

    column: str
    operator: str
    """eq (any of the values), ne, gt, gte, lt, lte, contains, startswith, isnull."""
    values: tuple[pa.Scalar, ...]
    """In the column's type, without dictionary and extension; exactly one value except for eq."""
    texts: tuple[str, ...]
    """The values as in the query string."""

    @property
    def meaning(self) -> tuple[str, ...]:
        """The values as canonical text: equal values have equal texts."""
        return tuple(sorted(set(map(_show_value, self.values))))


@dataclass(frozen=True)
class SortKey:
    """One column to sort by; nulls come last."""

    column: str
    descending: bool = False


@dataclass(frozen=True)
class Query:
    """A query: filters, selected columns, sort, offset and limit."""

    filters: tuple[Filter, ...] = ()
    select: tuple[str, ...] | None = None
    """Selected columns in order; None: all."""
    sort: tuple[SortKey, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the query selects the whole dataset unchanged."""
        return self == Query()

    @property
    def canonical(self) -> str:
        """A canonical text for ETags: equal for equivalent queries, whatever the order of their parameters."""
        filters = sorted({(each.column, each.operator, each.meaning) for each in self.filters})
        keys = [(key.column, key.descending) for key in self.sort]
        return json.dumps([filters, self.select, keys, self.limit, self.offset], ensure_ascii=True)


def parse_query(pairs: Sequence[tuple[str, str]], schema: pa.Schema, *, organisation_column: str) -> Query:
    """Return the query of decoded (name, value) parameters.

    Raises:
        QueryError: a parameter is not a column, a value is not of the column's type, or a number is out of range.
    """
    parser = _Parser(schema, organisation_column)
    for name, value in pairs:
        parser.add(name, value)
    return parser.finish()


@dataclass
class _Parser:
    schema: pa.Schema
    organisation_column: str
    query: Query = field(default_factory=Query)
    any_of: dict[str, Filter] = field(default_factory=dict)

    def add(self, name: str, value: str) -> None:
        """Add one parameter."""
        own = {"select": self._select, "sort": self._sort, "limit": self._limit, "offset": self._offset}
        if name in own:
            own[name](value)
            return
        column, operator = self._find_column(name)
        try:
            self._filter(column, operator, value)
        except InvalidValueError as error:
            raise QueryError(f"{name}={_shorten(value)}: {error}.") from error

    def finish(self) -> Query:
        """Return the query of all added parameters."""
        return replace(self.query, filters=(*self.any_of.values(), *self.query.filters))

    def _find_column(self, name: str) -> tuple[str, str]:
        names = self.schema.names
        if name in names:
            return name, "eq"
        column, separator, operator = name.rpartition("__")
        if separator and operator in OPERATORS and (column in names or column == ORGANISATION):
            return self._find_column(column)[0], operator
        if name == ORGANISATION and self.organisation_column in names:
            return self.organisation_column, "eq"
        if separator and column in names:
            raise QueryError(
                f"{_shorten(name)}: there is no comparison {_shorten(operator)}; there are {_join(OPERATORS)}."
            )
        raise self._name_columns(name)

    def _name_columns(self, name: str) -> QueryError:
        return QueryError(f"There is no column {_shorten(name)}. The columns are {_join(self.schema.names)}.")

    def _filter(self, column: str, operator: str, text: str) -> None:
        type_ = self._find_type(column, operator)
        if operator == "isnull":
            made = Filter(column, operator, (pa.scalar(parse_flag(text)),), (text,))
        else:
            _check_operator(operator, type_)
            made = Filter(column, operator, (parse_value(text, type_),), (text,))
        if operator == "eq":
            before = self.any_of.get(column)
            if before is not None:
                made = Filter(column, operator, (*before.values, *made.values), (*before.texts, text))
            self.any_of[column] = made
        else:
            self.query = replace(self.query, filters=(*self.query.filters, made))

    def _find_type(self, column: str, operator: str) -> pa.DataType:
        """Return the type in which values are compared; contains and startswith compare text."""
        field = self.schema.field(column)
        return pa.string() if operator in TEXTUAL and field.metadata == COMPARED_TEXT else field.type

    def _select(self, value: str) -> None:
        chosen = (*(self.query.select or ()), *self._split(value, lambda name: name in self.schema.names))
        for name in chosen:
            if name not in self.schema.names:
                raise self._name_columns(name)
            if chosen.count(name) > 1:
                raise QueryError(f"select names the column {_shorten(name)} twice.")
        self.query = replace(self.query, select=chosen)

    def _sort(self, value: str) -> None:
        keys = [self._read_key(text) for text in self._split(value, self._is_key)]
        self.query = replace(self.query, sort=(*self.query.sort, *keys))
        names = [key.column for key in self.query.sort]
        if len(set(names)) < len(names):
            raise QueryError("sort names a column twice.")

    def _is_key(self, text: str) -> bool:
        return text in self.schema.names or text.removeprefix("-") in self.schema.names

    def _read_key(self, text: str) -> SortKey:
        if not self._is_key(text):
            raise self._name_columns(text.removeprefix("-"))
        key = SortKey(text) if text in self.schema.names else SortKey(text.removeprefix("-"), descending=True)
        type_ = self.schema.field(key.column).type
        if not is_ordered(type_):
            raise QueryError(f"sort={_shorten(text)}: columns of type {type_} have no order.")
        return key

    def _limit(self, value: str) -> None:
        if self.query.limit is not None:
            raise QueryError("limit is given twice.")
        self.query = replace(self.query, limit=_read_count("limit", value))

    def _offset(self, value: str) -> None:
        if self.query.offset:
            raise QueryError("offset is given twice.")
        self.query = replace(self.query, offset=_read_count("offset", value))

    def _split(self, value: str, is_whole: Callable[[str], bool]) -> list[str]:
        """Return the column names of a list; names with a comma are quoted as in CSV, or stand alone."""
        if is_whole(value):
            return [value]
        try:
            (names,) = csv.reader([value], strict=True)
        except (csv.Error, ValueError) as error:
            raise QueryError(f"{_shorten(value)} is not a list of columns.") from error
        if not names:  # an empty text or a line break
            raise QueryError("select and sort name at least one column.")
        return names


def _show_value(value: pa.Scalar) -> str:
    if pa.types.is_fixed_size_binary(value.type):
        return str(value.as_py())
    # Not as Python values: nanoseconds would need pandas. Not as local times: their text needs the system's time zone
    # database, which Lambda does not guarantee.
    # Arrow has no text for some dates.
    if pa.types.is_temporal(value.type):
        value = value.cast(pa.int32() if value.type.bit_width == 32 else pa.int64())  # noqa: PLR2004 - bits
    return str(value.cast(pa.string()).as_py())


def _check_operator(operator: str, type_: pa.DataType) -> None:
    if operator in TEXTUAL and not is_text(unwrap(type_)):
        raise InvalidValueError(f"{operator} is for text, and the column is of type {type_}")
    if operator in ORDERING and is_filterable(type_) and not is_ordered(type_):
        raise InvalidValueError(f"columns of type {type_} have no order")


def _read_count(name: str, value: str) -> int:
    if not COUNT.fullmatch(value):
        raise QueryError(f"{name}={_shorten(value)}: a whole number, 0 or more, is expected.")
    return int(value)


def _join(names: Sequence[str]) -> str:
    return ", ".join(map(_shorten, names))


def _shorten(text: str) -> str:
    """Return a text shortened to one line for a message."""
    shown = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return shown if shown.isprintable() and shown else repr(shown)
