"""The tables: results/latest.md, and a short form between two markers of the README. `python -m tests.bench report`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.cases import cold_starts, package_sizes
from tests.bench.harness.comparison import OURS, Row
from tests.bench.harness.processes import ROOT
from tests.bench.report import cost

RESULTS = ROOT / "tests" / "bench" / "results" / "latest.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- bench: begin (make bench writes this) -->", "<!-- bench: end -->"
FORMULA = "requests x price + invocations x $0.20 / million + GB of memory x seconds x $0.0000166667"
_APART = (cold_starts.SERVICE, package_sizes.SERVICE)
_LEFT, _RIGHT = ":--", "---:"
_NOTHING = "-"


def read_rows() -> list[Row]:
    """Return the rows of the last run."""
    return list(json.loads(RESULTS.read_text())) if RESULTS.is_file() else []


def is_met(row: Row) -> bool:
    """Return whether a row's ratio reaches its target."""
    return float(row["ratio"]) >= float(row["target"])


def write_report(rows: Sequence[Row]) -> list[Path]:
    """Write both tables; returns the files."""
    target = RESULTS.with_suffix(".md")
    target.write_text(make_report(rows))
    README.write_text(replace_block(README.read_text(), make_block(rows)))
    return [target, README]


def replace_block(text: str, block: str) -> str:
    """Return a text with what is between its markers replaced.

    Raises:
        ValueError: there are no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{block}\n{END}{after}"


def make_report(rows: Sequence[Row]) -> str:
    """Return all rows as Markdown."""
    intro = "Written by `make bench` from latest.json. A ratio above 1 is better; what misses its target is bold."
    starts = "Processor time of `import boto3` alone by that of the handler's imports."
    parts = [
        f"# Results\n\n{intro}",
        "## Services\n\n" + _make_full_table(_select_services(rows)),
        f"## Cold starts\n\n{starts}\n\n" + _make_full_table(_select(rows, cold_starts.SERVICE)),
        "## Unzipped sizes\n\n" + make_size_table(rows),
        f"## Cost\n\n{_explain_cost('../report/prices.py')}\n\n" + make_cost_table(rows, short=False),
    ]
    return "\n\n".join(parts) + "\n"


def make_block(rows: Sequence[Row]) -> str:
    """Return what the README shows: services, cold starts, sizes, cost."""
    met = sum(map(is_met, rows))
    intro = f"{met} of {len(rows)} targets are met; what misses its target is bold. Ratios above 1 are better."
    starts = "Cold starts: processor time of `import boto3` alone by that of the handler's imports; and unzipped sizes."
    parts = [
        intro,
        _make_short_table(_select_services(rows)),
        starts,
        _make_start_table(rows),
        _explain_cost("tests/bench/report/prices.py"),
        make_cost_table(rows, short=True),
    ]
    return "\n\n".join(parts) + "\n"


def _select_services(rows: Sequence[Row]) -> list[Row]:
    return _select(rows, *{row["service"] for row in rows} - set(_APART))


def _select(rows: Sequence[Row], *services: str) -> list[Row]:
    return sorted((row for row in rows if row["service"] in services), key=lambda row: str(row["service"]))


def _make_full_table(rows: Sequence[Row]) -> str:
    head = ["service", "case", "against", "target", "ratio", "low … high", "peak MB", "S3 requests", "run"]
    lines = []
    for row in rows:
        run = " ".join(str(row[key]) for key in ("date", "commit") if row.get(key))
        figures = [f"{row['target']:g}", _mark(row, f"{row['ratio']:.2f}"), f"{row['low']:.2f} … {row['high']:.2f}"]
        rest = [_write(row[key]) for key in ("rss_mb", "s3_requests")]
        lines.append([row["service"], row["case"], row["against"], *figures, *rest, run])
    return make_table(head, lines, left=3)


def _make_short_table(rows: Sequence[Row]) -> str:
    lines, before = [], ("", "")
    for row in rows:
        service, case = place = row["service"], row["case"]
        repeats = [service == before[0], place == before]
        before = place
        names = ["" if known else name for known, name in zip(repeats, (f"`{service}`", case), strict=True)]
        spread = f"{row['low']:.2f} … {row['high']:.2f}"
        figures = [f"{row['target']:g}", _mark(row, f"{row['ratio']:.2f}"), spread]
        rest = [_write(None if repeats[1] else row[key]) for key in ("rss_mb", "s3_requests")]
        lines.append([*names, row["against"], *figures, *rest])
    head = ["service", "case", "against", "target", "ratio", "low … high", "peak MB", "S3 requests"]
    return make_table(head, lines, left=3)


def _write(figure: float | None) -> str:
    return _NOTHING if figure is None else f"{figure:,}"


def _mark(row: Row, text: str) -> str:
    return text if is_met(row) else f"**{text} missed**"


def _make_start_table(rows: Sequence[Row]) -> str:
    sizes = {row["case"]: row for row in rows if row["service"] == package_sizes.SERVICE}
    lines = []
    for row in _select(rows, cold_starts.SERVICE):
        size = sizes.get(str(row["case"]).partition(".")[0])
        weight = f"{size['mb']:.1f} MB" if size else _NOTHING
        spread = f"{row['low']:.2f} … {row['high']:.2f}"
        lines.append([f"`{row['case']}`", f"{row['target']:g}", _mark(row, f"{row['ratio']:.2f}"), spread, weight])
    return make_table(
        ["handler", "target", "ratio", "low … high", f"unzipped, of {package_sizes.LIMIT_MB} MB"], lines, left=1
    )


def make_size_table(rows: Sequence[Row]) -> str:
    """Return what each function and each of its layers weigh."""
    lines = []
    for row in _select(rows, package_sizes.SERVICE):
        parts = ", ".join(f"{name} {megabytes:g}" for name, megabytes in row["parts"].items())
        lines.append([f"`{row['case']}`", f"{row['mb']:.2f}", f"{row['mb'] / package_sizes.LIMIT_MB:.1%}", parts])
    return make_table(["function", "MB with layers", f"of {package_sizes.LIMIT_MB} MB", "of that"], lines, left=1)


def _explain_cost(prices: str) -> str:
    return (
        f"Cost at the [list prices]({prices}) of us-east-1, storage and what leaves AWS apart: "
        f"{FORMULA}. The seconds are those of this bench, behind its proxy."
    )


def make_cost_table(rows: Sequence[Row], *, short: bool) -> str:
    """Return dollars by case; `short` leaves out how they come about."""
    lines = []
    for line in cost.list_costs(rows):
        name = "Sluice" if line.contender == OURS else line.contender
        parts = [] if short else [f"{line.cost.requests:.7f}", f"{line.cost.compute:.7f}"]
        dollars = [f"{line.per_million_objects:,.2f}", f"{line.per_terabyte:,.2f}"]
        lines.append([f"`{line.service}`", line.case, name, *parts, *dollars])
    head = ["service", "case", "who", *([] if short else ["$ requests", "$ compute"])]
    return make_table([*head, "$ per million objects", "$ per TB"], lines, left=3)


def make_table(head: Sequence[str], lines: Iterable[Sequence[str]], *, left: int) -> str:
    """Return a Markdown table whose first columns are texts, and the others figures."""
    aside = [_LEFT] * left + [_RIGHT] * (len(head) - left)
    return "\n".join("| " + " | ".join(map(str, each)) + " |" for each in (head, aside, *lines))
