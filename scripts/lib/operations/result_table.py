"""Prints a query's result as a table for people or as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 10_000
"""Into a file or a pipe nothing is broken into several lines."""
_CELL_WIDTH = 160


@dataclass(frozen=True)
class Answer:
    """The result of a query, and the number of log lines that it scanned."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    lines: int


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """Print the rows: a table with tracebacks cut to their last line, or a whole JSON object a line."""
    if as_json:
        for row in answer.rows:
            print(json.dumps(dict(zip(answer.columns, row, strict=True)), default=show_cell))
        return
    if not answer.rows:
        return
    numeric = {index for index in range(len(answer.columns)) if all(_is_number(row[index]) for row in answer.rows)}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(answer.columns):
        table.add_column(Text(column), justify="right" if index in numeric else "left", overflow="fold")
    for row in answer.rows:
        table.add_row(*(Text(shorten(show_cell(cell))) for cell in row))
    _open_console().print(table)


def print_list(questions: Mapping[str, str]) -> None:
    """Print all queries, each with its question."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, question in questions.items():
        table.add_row(Text(name), Text(question))
    _open_console().print(table)


def show_cell(cell: object) -> str:
    """Return a value as text: times as Logs Insights writes them, numbers with two decimals where they have any."""
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case datetime():
            return cell.isoformat(" ", "milliseconds")
        case float():
            return f"{cell:.2f}".rstrip("0").rstrip(".")
        case _:
            return str(cell)


def shorten(text: str) -> str:
    """Return a text's last line, which is what a traceback ends in, cut where it is long."""
    last = text.strip().rpartition("\n")[2]
    return last if len(last) <= _CELL_WIDTH else f"{last[: _CELL_WIDTH - 1]}…"


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        return cell.replace(".", "", 1).isdecimal()
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _open_console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
