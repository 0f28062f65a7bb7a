"""A request's parameters as a query on a dataset's columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Filter:
    """A condition on one column; several filters of a query all have to hold."""

    column: str
    operator: str
    """eq (any of the values), ne, gt, gte, lt, lte, contains, startswith, isnull."""
    values: tuple[object, ...]
    """As the column's type; one value but for eq."""
    texts: tuple[str, ...]
    """The values as they were given."""


@dataclass(frozen=True)
class SortKey:
    """One column to sort by."""

    column: str
    descending: bool = False


@dataclass(frozen=True)
class Query:
    """What is asked of a dataset."""

    filters: tuple[Filter, ...] = ()
    select: tuple[str, ...] | None = None
    """Columns in their order; None: all."""
    sort: tuple[SortKey, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the whole dataset is asked for as it is."""
        return self == Query()

    @property
    def canonical(self) -> str:
        """The same text for queries that mean the same, however their parameters were ordered (for ETags)."""
        raise NotImplementedError


RESERVED = frozenset({"select", "sort", "limit", "offset"})
"""Names with a meaning of their own. A column of such a name is filtered by an operator: `limit__eq=5`."""


def parse_query(pairs: Sequence[tuple[str, str]], schema: pa.Schema, *, organisation_column: str) -> Query:
    """Return the query that decoded parameters (name, value) describe.

    Raises:
        QueryError: a parameter names no column, a value is not of the column's type, a number is out of range.
    """
    raise NotImplementedError
