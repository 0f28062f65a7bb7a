"""Wait until each statement under a prefix is one row in ClickHouse, then query the rows."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lib.common.demo_notes import note
from lib.xapi.clickhouse_client import ClickHouseError, ask, quote_table

_PAUSE_SECONDS = 0.5
_MINE = "startsWith(source_file, {source:String})"
_QUESTIONS = {
    "Rows per verb": """
        SELECT splitByChar('/', assumeNotNull(verb_id))[-1] AS verb, count() AS rows, uniq(actor_id) AS people
        FROM {table} WHERE {mine} GROUP BY verb ORDER BY rows DESC""",
    "Rows per day": """
        SELECT toDate(timestamp) AS day, count() AS rows, bar(rows, 0, max(rows) OVER (), 20) AS plot
        FROM {table} WHERE {mine} GROUP BY day ORDER BY day""",
    "Slowest pages": """
        SELECT path(assumeNotNull(object_id)) AS page, count() AS views,
            round(avg(duration_seconds), 1) AS mean_seconds, round(quantile(0.95)(duration_seconds), 1) AS p95_seconds
        FROM {table} WHERE {mine} AND duration_seconds > 0 GROUP BY page ORDER BY mean_seconds DESC LIMIT 5""",
}


class NotLandedError(RuntimeError):
    """Rows are missing after the timeout, or there are more rows than statements; the message says which."""


def count_rows(source: str) -> int:
    """Return the number of rows whose source object's URL has this prefix."""
    _, rows = ask(f"SELECT count() FROM {quote_table()} WHERE {_MINE}", source=source)  # noqa: S608  # quoted
    return int(rows[0][0])


def wait_for_rows(source: str, wanted: int, seconds: float, progress: Progress) -> None:
    """Wait until the expected number of rows is there.

    Raises:
        NotLandedError: rows are missing after ``seconds``, or there are too many.
        ClickHouseError: the server cannot be reached.
    """
    task = progress.add_task("Rows", total=wanted)
    deadline = time.monotonic() + seconds
    while True:
        found = count_rows(source)
        progress.update(task, completed=found)
        if found == wanted:
            return
        if found > wanted:
            raise NotLandedError(f"{found:,} rows of {wanted:,} statements: some are there twice")
        if time.monotonic() > deadline:
            raise NotLandedError(f"after {seconds:.0f} s only {found:,} of {wanted:,} statements are rows")
        time.sleep(_PAUSE_SECONDS)


def make_table(title: str, columns: list[str], rows: list[list[Any]]) -> Table:
    """Return a result as a table for the terminal."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, name in enumerate(columns):
        is_number = all(isinstance(row[place], int | float) for row in rows)
        table.add_column(name, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in row))
    return table


def main() -> int:
    """Run from the command line: ``BUCKET PREFIX COUNT``; the exit status is 1 unless each statement is one row."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bucket")
    parser.add_argument("prefix")
    parser.add_argument("count", type=int)
    parser.add_argument("--timeout", type=float, default=180)
    chosen = parser.parse_args()
    source = f"s3://{chosen.bucket}/{chosen.prefix}"
    console = Console()
    started = time.monotonic()
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            wait_for_rows(source, chosen.count, chosen.timeout, progress)
        seconds = time.monotonic() - started
        said = f"{chosen.count:,} of these statements, without FINAL ({seconds:.1f} s after the last upload)"
        print(f"SELECT count(): {said}")
        note("fact", "SELECT count()", said)
        rows: list[list[Any]] = []
        for title, question in _QUESTIONS.items():
            columns, rows = ask(question.replace("{table}", quote_table()).replace("{mine}", _MINE), source=source)
            console.print(make_table(title, columns, rows))
            if title == "Slowest pages" and rows:
                note(
                    "fact", "Slowest page", f"{rows[0][0]}: {rows[0][2]} s on average, {rows[0][3]} s for one in twenty"
                )
    except (NotLandedError, ClickHouseError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
