"""Expressions of the Logs Insights query language as DuckDB's SQL: fields, comparisons, functions, aggregations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from lark import Token, Tree

type Node = Tree[Token]

_NUMBERS = {"BIGINT", "DOUBLE", "INTEGER", "HUGEINT"}
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class QuerySyntaxError(ValueError):
    """The query cannot be translated; the message gives the line, the column and the reason."""


@dataclass(frozen=True)
class Expression:
    """An expression in SQL, and DuckDB's type of its value."""

    sql: str
    type: str


def translate_expression(node: Node, types: Mapping[str, str], *, is_aggregate: bool = False) -> Expression:
    """Return an expression as SQL.

    Args:
        node: the expression.
        types: DuckDB's type of each known field.
        is_aggregate: the expression is a column of ``stats``: fields may be used in aggregations only.

    Raises:
        QuerySyntaxError: an unknown field or function, or a value of the wrong type.
    """
    return _Translator(types, is_aggregate=is_aggregate).translate(node)


def refuse(node: Node | Token, reason: str) -> QuerySyntaxError:
    """Return the error of a part of the query."""
    place = node if isinstance(node, Token) else node.meta
    return QuerySyntaxError(f"line {place.line}, column {place.column}: {reason}")


def list_nodes(node: Node) -> list[Node]:
    """Return the children of a node that are nodes, not tokens."""
    return [child for child in node.children if isinstance(child, Tree)]


def get_token(node: Node, at: int) -> Token:
    """Return the child at a position, which the grammar makes a token."""
    return cast("Token", node.children[at])


def quote_name(name: str) -> str:
    """Return a column's name in SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def quote_text(text: str) -> str:
    """Return a text in SQL."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def read_name(field: Node) -> str:
    """Return the name of a field, without backticks."""
    return get_token(field, 0).strip("`")


def read_text(token: Token) -> str:
    """Return the value of a quoted text."""
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def read_regex(token: Token) -> re.Pattern[str]:
    """Return a regular expression, with the named groups in Python's spelling.

    Raises:
        QuerySyntaxError: it is invalid, or it looks around, which DuckDB's RE2 cannot do.
    """
    pattern = re.sub(r"\(\?<(?=\w)", "(?P<", token[1:-1].replace("\\/", "/"))
    if re.search(r"\(\?<?[=!]", pattern):
        raise refuse(token, "lookaround is not translated")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise refuse(token, f"invalid regular expression: {error}") from error


def as_text(value: Expression) -> str:
    """Return an expression's value as text."""
    return value.sql if value.type == "VARCHAR" else f"CAST({value.sql} AS VARCHAR)"


def _as_number(value: Expression) -> str:
    """Return an expression's value as a number, null where it is none."""
    return value.sql if value.type in _NUMBERS else f"try_cast({value.sql} AS DOUBLE)"


def _make_time_bin(period: str) -> Expression:
    unit = period.lstrip("0123456789 ")
    count = period.removesuffix(unit).strip()
    name = "ms" if unit.startswith(("ms", "milli")) else unit[0]
    return Expression(f"""time_bucket(INTERVAL '{count} {_UNITS[name]}', "@timestamp")""", "TIMESTAMP")


@dataclass(frozen=True)
class _Function:
    """A function of the query language: its numbers of arguments, and the SQL of a call."""

    arity: range
    call: Callable[[list[Expression]], Expression]


def _number_function(template: str, arity: int = 1) -> _Function:
    return _Function(
        range(arity, arity + 1), lambda given: Expression(template.format(*map(_as_number, given)), "DOUBLE")
    )


def _text_function(template: str, arity: int, type_: str = "VARCHAR") -> _Function:
    return _Function(range(arity, arity + 1), lambda given: Expression(template.format(*map(as_text, given)), type_))


def _same_type(template: str) -> _Function:
    """Return an aggregation whose result is of its argument's type."""
    return _Function(range(1, 2), lambda given: Expression(template.format(given[0].sql), given[0].type))


_FUNCTIONS = {
    "abs": _number_function("abs({})"),
    "ceil": _number_function("ceil({})"),
    "floor": _number_function("floor({})"),
    "sqrt": _number_function("sqrt({})"),
    "coalesce": _Function(
        range(1, 100), lambda given: Expression(f"coalesce({', '.join(map(as_text, given))})", "VARCHAR")
    ),
    "concat": _Function(
        range(1, 100), lambda given: Expression(f"concat({', '.join(map(as_text, given))})", "VARCHAR")
    ),
    "isblank": _text_function("coalesce(trim({}), '') = ''", 1, "BOOLEAN"),
    "isempty": _text_function("coalesce({}, '') = ''", 1, "BOOLEAN"),
    "ispresent": _Function(range(1, 2), lambda given: Expression(f"{given[0].sql} IS NOT NULL", "BOOLEAN")),
    "replace": _text_function("replace({}, {}, {})", 3),
    "strcontains": _text_function("coalesce(contains({}, {})::INT, 0)", 2, "INTEGER"),
    "strlen": _text_function("length({})", 1, "BIGINT"),
    "tolower": _text_function("lower({})", 1),
    "toupper": _text_function("upper({})", 1),
    "trim": _text_function("trim({})", 1),
}
_AGGREGATES = {
    "avg": _number_function("avg({})"),
    "count": _Function(range(2), lambda given: Expression(f"count({given[0].sql if given else '*'})", "BIGINT")),
    "count_distinct": _Function(range(1, 2), lambda given: Expression(f"count(DISTINCT {given[0].sql})", "BIGINT")),
    "earliest": _same_type('arg_min({}, "@timestamp")'),
    "latest": _same_type('arg_max({}, "@timestamp")'),
    "max": _same_type("max({})"),
    "min": _same_type("min({})"),
    "pct": _number_function("quantile_cont({}, {} / 100)", 2),
    "stddev": _number_function("stddev_samp({})"),
    "sum": _number_function("sum({})"),
}


class _Translator:
    """Translates the nodes of one expression; the methods are named after the rules of the grammar."""

    def __init__(self, types: Mapping[str, str], *, is_aggregate: bool) -> None:
        self._types = types
        self._is_aggregate = is_aggregate

    def translate(self, node: Node) -> Expression:
        return getattr(self, node.data)(node)  # type: ignore[no-any-return]

    def field(self, node: Node) -> Expression:
        name = read_name(node)
        if name not in self._types:
            raise refuse(node, f"no log line of the service has the field {name}")
        if self._types[name] == "JSON":
            raise refuse(node, f"{name} is an array or object: parse it out of @message")
        if self._is_aggregate:
            raise refuse(node, f"{name} is neither aggregated nor in the list after by")
        return Expression(quote_name(name), self._types[name])

    def literal(self, node: Node) -> Expression:
        return self.translate(list_nodes(node)[0])

    def number(self, node: Node) -> Expression:
        text = str(get_token(node, 0))
        return Expression(text, "DOUBLE" if "." in text else "BIGINT")

    def text(self, node: Node) -> Expression:
        return Expression(quote_text(read_text(get_token(node, 0))), "VARCHAR")

    def parenthesised(self, node: Node) -> Expression:
        inner = self.translate(list_nodes(node)[0])
        return Expression(f"({inner.sql})", inner.type)

    def time_bin(self, node: Node) -> Expression:
        return _make_time_bin(get_token(node, 0))

    def any_of(self, node: Node) -> Expression:
        return Expression(f"({' OR '.join(self._list_conditions(node))})", "BOOLEAN")

    def all_of(self, node: Node) -> Expression:
        return Expression(f"({' AND '.join(self._list_conditions(node))})", "BOOLEAN")

    def negated(self, node: Node) -> Expression:
        return Expression(f"(NOT {self._list_conditions(node)[0]})", "BOOLEAN")

    def _list_conditions(self, node: Node) -> list[str]:
        conditions = []
        for child in list_nodes(node):
            value = self.translate(child)
            if value.type != "BOOLEAN":
                raise refuse(child, "this is not a condition")
            conditions.append(value.sql)
        return conditions

    def compared(self, node: Node) -> Expression:
        left, right = map(self.translate, list_nodes(node))
        return Expression(f"({_compare(left, get_token(node, 1), right)})", "BOOLEAN")

    def contained(self, node: Node) -> Expression:
        field, literals = list_nodes(node)
        value, known = self.translate(field), map(self.translate, list_nodes(literals))
        return Expression(f"({' OR '.join(_compare(value, '=', each) for each in known)})", "BOOLEAN")

    def not_contained(self, node: Node) -> Expression:
        return Expression(f"(NOT {self.contained(node).sql})", "BOOLEAN")

    def matched(self, node: Node) -> Expression:
        value, pattern = as_text(self.translate(list_nodes(node)[0])), get_token(node, 1)
        if pattern.type == "STRING":
            return Expression(f"contains({value}, {quote_text(read_text(pattern))})", "BOOLEAN")
        regex = read_regex(pattern).pattern
        return Expression(f"regexp_matches({value}, {quote_text(regex)})", "BOOLEAN")

    def not_matched(self, node: Node) -> Expression:
        return Expression(f"(NOT {self.matched(node).sql})", "BOOLEAN")

    def calculated(self, node: Node) -> Expression:
        first, *others = map(self.translate, list_nodes(node))
        sql = _as_number(first)
        for sign, operand in zip(node.children[1::2], others, strict=True):
            value = _as_number(operand)
            sql = f"({sql} {sign} nullif({value}, 0))" if sign in {"/", "%"} else f"({sql} {sign} {value})"
        return Expression(sql, "DOUBLE")

    def negative(self, node: Node) -> Expression:
        return Expression(f"(-{_as_number(self.translate(list_nodes(node)[0]))})", "DOUBLE")

    def star_call(self, node: Node) -> Expression:
        if get_token(node, 0).lower() != "count" or not self._is_aggregate:
            raise refuse(node, "only count takes *, and only in stats")
        return Expression("count(*)", "BIGINT")

    def call(self, node: Node) -> Expression:
        name = get_token(node, 0).lower()
        aggregates = _AGGREGATES if self._is_aggregate else {}
        function = aggregates.get(name) or _FUNCTIONS.get(name)
        if function is None:
            reason = "may be used in stats only" if name in _AGGREGATES else "is not translated"
            raise refuse(node, f"the function {name} {reason}")
        inner = _Translator(self._types, is_aggregate=self._is_aggregate and name not in aggregates)
        given = list(map(inner.translate, list_nodes(node)))
        if len(given) not in function.arity:
            raise refuse(node, f"{name} does not take {len(given)} arguments")
        return function.call(given)


def _compare(left: Expression, comparator: str, right: Expression) -> str:
    """Return a comparison: of numbers where one side is a number, else of texts."""
    if left.type in _NUMBERS or right.type in _NUMBERS:
        if "VARCHAR" in {left.type, right.type} and (left.sql.startswith("'") or right.sql.startswith("'")):
            return f"{as_text(left)} {comparator} {as_text(right)}"
        return f"{_as_number(left)} {comparator} {_as_number(right)}"
    if left.type == right.type:
        return f"{left.sql} {comparator} {right.sql}"
    return f"{as_text(left)} {comparator} {as_text(right)}"
