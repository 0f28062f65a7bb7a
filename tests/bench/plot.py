# mypy: disable-error-code="import-not-found"
"""Draws the results: `python -m tests.bench.plot ROWS.json PICTURE.svg`, with the bench's own packages."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

_REACHED, _MISSED, _TARGET = "#2f7d5b", "#b5472f", "#222222"
_ROW_INCHES = 0.34
_ARGUMENTS = 3


def draw(rows: list[dict[str, Any]], target: Path) -> None:
    """Draw one bar a row: the median ratio, its spread, and the target as a line across."""
    # The same rows are to give the same file.
    mpl.rcParams["svg.hashsalt"] = "sluice"
    figure = Figure(figsize=(9, 1.3 + _ROW_INCHES * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = list(range(len(rows)))[::-1]
    ratios = [row["ratio"] for row in rows]
    spread = [
        [max(row["ratio"] - row["low"], 0) for row in rows],
        [max(row["high"] - row["ratio"], 0) for row in rows],
    ]
    colours = [_REACHED if row["ratio"] >= row["target"] else _MISSED for row in rows]
    axes.barh(places, ratios, xerr=spread, color=colours, height=0.6, error_kw={"ecolor": "#777777", "capsize": 2})
    for place, row in zip(places, rows, strict=True):
        axes.plot([row["target"]] * 2, [place - 0.38, place + 0.38], color=_TARGET, linewidth=2)
        end = row["high"] if row["ratio"] >= row["target"] else max(row["high"], row["target"])
        axes.annotate(f"{row['ratio']:.2f}x", (end, place), (4, 0), textcoords="offset points", va="center")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.set_xlim(min([0.5, *(row["low"] for row in rows)]), max(row["high"] for row in rows) * 1.6)
    axes.set_yticks(places, [f"{row['service']}: {row['case']}, against {row['against']}" for row in rows])
    title = "How many times as good as others (further right is better)\n"
    title += "black line: the target; whiskers: lowest and highest round"
    figure.suptitle(title, x=0.01, horizontalalignment="left", fontsize=10)
    axes.tick_params(axis="y", length=0)
    axes.axvline(1, color="#999999", linewidth=0.8, linestyle=":")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.savefig(target, metadata={"Date": None})


def main() -> int:
    """Draw; returns the exit status."""
    if len(sys.argv) != _ARGUMENTS:
        print("usage: python -m tests.bench.plot ROWS.json PICTURE.svg", file=sys.stderr)
        return 2
    rows = json.loads(Path(sys.argv[1]).read_text())
    if rows:
        draw(rows, Path(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
