"""Translator from the Logs Insights query language to DuckDB's SQL over the view ``logs`` (see ``log_sql``).

It knows the commands in ``insights.lark`` and the functions in ``insights_expressions``, and refuses all others: a
query gets the result that Logs Insights would give, or an error. A comparison with a missing field is never true.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import lark

from lib.operations.insights_expressions import (
    Expression,
    Node,
    QuerySyntaxError,
    as_text,
    get_token,
    list_nodes,
    quote_name,
    quote_text,
    read_name,
    read_regex,
    read_text,
    refuse,
    translate_expression,
)

DEFAULT_LIMIT = 10_000
"""Rows that Logs Insights returns where a query has no limit."""
CLOUDWATCH_FIELDS = {
    "@timestamp": "TIMESTAMP",
    "@message": "VARCHAR",
    "@log": "VARCHAR",
    "@logStream": "VARCHAR",
    "@requestId": "VARCHAR",
    "@type": "VARCHAR",
    "@duration": "DOUBLE",
    "@initDuration": "DOUBLE",
    "@memorySize": "DOUBLE",
    "@maxMemoryUsed": "DOUBLE",
}
"""DuckDB's types of the fields that CloudWatch adds to a line."""


@dataclass(frozen=True)
class Translation:
    """A query as SQL, and the columns of its result."""

    sql: str
    columns: tuple[str, ...]


def translate_query(query: str, fields: Mapping[str, str]) -> Translation:
    """Return a Logs Insights query as SQL.

    Args:
        query: the query's text, comments included.
        fields: DuckDB's type by name, of all that the service logs.

    Raises:
        QuerySyntaxError: the query is invalid, names an unknown field, or uses what is not translated.
    """
    try:
        tree = _make_parser().parse(query)
    except lark.UnexpectedInput as error:
        raise QuerySyntaxError(_describe(error, query)) from error
    commands = _Commands({**fields, **CLOUDWATCH_FIELDS}, query)
    for command in list_nodes(tree):
        commands.add(command)
    return commands.finish()


@cache
def _make_parser() -> lark.Lark:
    grammar = Path(__file__).with_name("insights.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _describe(error: lark.UnexpectedInput, query: str) -> str:
    if isinstance(error, lark.UnexpectedToken):
        if error.token.type == "$END":
            return "the query ends too early"
        return f"line {error.line}, column {error.column}: unexpected {str(error.token)!r}"
    return f"line {error.line}, column {error.column}: unexpected {query[error.pos_in_stream :][:1]!r}"


class _Commands:
    """The SELECTs of a query's commands, each over the one before; methods are named after the rules of the grammar."""

    def __init__(self, types: Mapping[str, str], query: str) -> None:
        self._types = dict(types)
        self._query = query
        self._steps: list[str] = []
        self._shown: list[str] = []
        self._seen: set[str] = set()
        self._periods: list[str] = []
        """Groups of ``stats`` that are periods of time."""
        self._order = ""
        self._row_limit = DEFAULT_LIMIT

    def add(self, command: Node) -> None:
        """Translate the next command."""
        kind = str(command.data)
        if kind == "stats" and kind in self._seen:
            raise refuse(command, "a second stats is not translated")
        if "limit" in self._seen and kind not in {"sort", "display"}:
            raise refuse(command, "only sort and display may follow limit")
        getattr(self, kind)(command)
        self._seen.add(kind)

    def finish(self) -> Translation:
        """Return the statement, and the result's columns."""
        columns = self._shown or (list(self._types) if "stats" in self._seen else ["@timestamp", "@message"])
        steps = ",\n".join(f"step_{number} AS ({step})" for number, step in enumerate(self._steps, 1))
        lines = [f"WITH {steps}"] if steps else []
        lines += [f"SELECT {', '.join(map(quote_name, columns))}", f"FROM {self._last}"]
        order = self._order or self._newest_first()
        lines += [f"ORDER BY {order}"] if order else []
        return Translation("\n".join([*lines, f"LIMIT {self._row_limit}"]), tuple(columns))

    @property
    def _last(self) -> str:
        return f"step_{len(self._steps)}" if self._steps else "logs"

    def _newest_first(self) -> str:
        times = self._periods if "stats" in self._seen else ["@timestamp"]
        return ", ".join(f"{quote_name(name)} DESC" for name in times)

    def _select(self, columns: str, clauses: str = "") -> None:
        self._steps.append(f"SELECT {columns} FROM {self._last}{clauses}")  # noqa: S608  # names and texts are quoted

    def _translate(self, node: Node) -> Expression:
        return translate_expression(node, self._types)

    def _read_column(self, named: Node, *, is_aggregate: bool = False) -> tuple[str, Expression]:
        """Return a column's name, which is its text in the query where none is given, and its value."""
        (node,) = list_nodes(named)
        alias = get_token(named, 1)
        text = self._query[node.meta.start_pos : node.meta.end_pos]
        value = translate_expression(node, self._types, is_aggregate=is_aggregate)
        return str(alias) if alias else text.strip("`"), value

    def _add_columns(self, columns: Mapping[str, Expression]) -> None:
        """Add columns to the rows, or replace those that have their names."""
        named = {name: f"{value.sql} AS {quote_name(name)}" for name, value in columns.items()}
        replaced = ", ".join(sql for name, sql in named.items() if name in self._types)
        added = [sql for name, sql in named.items() if name not in self._types]
        self._select(", ".join([f"* REPLACE ({replaced})" if replaced else "*", *added]))
        self._types |= {name: value.type for name, value in columns.items()}

    def _show(self, name: str) -> None:
        if name not in self._shown:
            self._shown.append(name)

    def filter(self, command: Node) -> None:
        """Keep the rows that meet a condition."""
        condition = self._translate(list_nodes(command)[0])
        if condition.type != "BOOLEAN":
            raise refuse(command, "filter needs a condition")
        self._select("*", f" WHERE {condition.sql}")

    def fields(self, command: Node) -> None:
        """Add columns to the rows, and to the result."""
        for named in list_nodes(command):
            name, value = self._read_column(named)
            if value.sql != quote_name(name):
                self._add_columns({name: value})
            if "display" not in self._seen:
                self._show(name)

    def display(self, command: Node) -> None:
        """Choose the columns of the result."""
        if "display" not in self._seen:
            self._shown.clear()
        for field in list_nodes(command):
            self._translate(field)
            self._show(read_name(field))

    def parse_regex(self, command: Node) -> None:
        """Add a column for each named group of a regular expression."""
        token = get_token(command, 1)
        regex = read_regex(token)
        if not regex.groupindex:
            raise refuse(token, "parse needs a regular expression with named groups: (?<name>...)")
        self._extract(command, re.sub(r"\(\?P<\w+>", "(", regex.pattern), regex.groupindex)

    def parse_glob(self, command: Node) -> None:
        """Add a column for each asterisk of a pattern."""
        token = get_token(command, 1)
        names = command.children[2:]
        literals = read_text(token).split("*")
        if len(literals) - 1 != len(names):
            raise refuse(token, f"parse has {len(literals) - 1} asterisks and {len(names)} names")
        wildcards = ["(.*?)"] * len(names)
        if not literals[-1]:
            wildcards[-1] = "(.*)"
        pattern = "".join(re.escape(text) + wildcard for text, wildcard in zip(literals, [*wildcards, ""], strict=True))
        self._extract(command, f"(?s){pattern}", {str(name): group for group, name in enumerate(names, 1)})

    def _extract(self, command: Node, pattern: str, groups: Mapping[str, int]) -> None:
        source, regex = as_text(self._translate(list_nodes(command)[0])), quote_text(pattern)
        self._add_columns(
            {
                name: Expression(f"nullif(regexp_extract({source}, {regex}, {group}), '')", "VARCHAR")
                for name, group in groups.items()
            }
        )

    def stats(self, command: Node) -> None:
        """Replace the rows by aggregations over groups of them."""
        lists = {str(each.data): each for each in list_nodes(command)}
        groups = dict(map(self._read_column, list_nodes(lists["groups"]) if "groups" in lists else []))
        results = dict(self._read_column(each, is_aggregate=True) for each in list_nodes(lists["aggregations"]))
        columns = {**groups, **results}
        by = f" GROUP BY {', '.join(value.sql for value in groups.values())}" if groups else ""
        self._select(", ".join(f"{value.sql} AS {quote_name(name)}" for name, value in columns.items()), by)
        self._types = {name: value.type for name, value in columns.items()}
        self._periods = [name for name, value in groups.items() if value.type == "TIMESTAMP"]
        self._shown.clear()

    def sort(self, command: Node) -> None:
        """Order the result; the last sort of a query counts."""
        keys = []
        for key in list_nodes(command):
            (field,) = list_nodes(key)
            keys.append(f"{self._translate(field).sql} {get_token(key, 1).upper()}")
        self._order = ", ".join(keys)

    def limit(self, command: Node) -> None:
        """Limit the rows of the result."""
        self._row_limit = int(str(command.children[0]))

    def dedup(self, command: Node) -> None:
        """Keep the first row, in the order so far, of those with the same values."""
        fields = ", ".join(self._translate(field).sql for field in list_nodes(command))
        order = self._order or self._newest_first()
        within = f"PARTITION BY {fields}" + (f" ORDER BY {order}" if order else "")
        self._select("*", f" QUALIFY row_number() OVER ({within}) = 1")
