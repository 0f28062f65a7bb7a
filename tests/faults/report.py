"""Writes the table of tests/faults/README.md from the counts of the runs: ``python -m tests.faults.report``.

The figures of one fault of a service are summed over its runs; the seed is that of the last one.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.faults.support.figures import FIGURES

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
NAMES = {
    "kills": "SIGKILL",
    "deadline": "clock near the deadline",
    "messages": "duplicated, reordered messages",
    "source server": "source server misbehaves",
    "disk full": "disk full",
    "s3 500": "S3: 500 InternalError",
    "s3 503": "S3: 503 SlowDown",
    "s3 reset": "S3: connection reset",
    "s3 lost": "S3: answer lost, request done",
    "s3 short": "S3: short read",
    "s3 slow": "S3: slow answers",
    "dynamodb throttled": "DynamoDB: throttled",
    "dynamodb lost": "DynamoDB: answer lost, write done",
    "clickhouse killed": "ClickHouse: killed, answers lost (with SIGKILL)",
}
HEAD = (
    "| service | fault | runs | faults | results | lost | duplicated | corrupt | last seed | repeated by |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---|\n"
)
_SUMMED = ("injected", "results", "lost", "duplicated", "corrupt")


def sum_up(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return one row for each service and fault, in the order in which they first came."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines:
        run = json.loads(line)
        row = rows.setdefault((run["service"], run["fault"]), {**dict.fromkeys(_SUMMED, 0), "runs": 0})
        sums = {name: row[name] + run[name] for name in _SUMMED}
        row |= run | sums | {"runs": row["runs"] + 1}
    order = list(NAMES)
    known = {name: place for place, name in enumerate(order)}
    return sorted(rows.values(), key=lambda row: (row["service"], known.get(row["fault"], len(order)), row["fault"]))


def write_row(row: dict[str, Any]) -> str:
    """Return a line of the table."""
    name = NAMES.get(row["fault"], row["fault"].replace("clickhouse ", "ClickHouse: "))
    counts = " | ".join(f"{row[key]:,}" for key in ("runs", *_SUMMED))
    return f"| {row['service']} | {name} | {counts} | {row['seed']} | `{row['command']}` |\n"


def main() -> int:
    """Replace the table of the page."""
    table = HEAD + "".join(write_row(row) for row in sum_up(FIGURES.read_text().splitlines()))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table}{END}{after}")
    print(f"{PAGE}: {table.count('\n') - 2} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
