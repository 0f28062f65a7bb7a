# mypy: disable-error-code="import-not-found"
"""Draws the results: `python -m tests.bench.report.plot ROWS.json PICTURE.svg|png`, with the bench's own packages."""

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

_REACHED, _MISSED, _TARGET, _GREY = "#2f7d5b", "#c4502f", "#111111", "#8a8a8a"
_ROW_INCHES, _HEAD_INCHES = 0.25, 1.5
_ARGUMENTS = 3
_NOT_SHOWN = "size"
_TITLES = {
    "csv_streamer": "CSV streamer",
    "data_aggregator": "Data aggregator",
    "dataset_download": "Dataset download",
    "xapi_etl": "xAPI ETL",
    "zip_jobs": "ZIP jobs",
    "cold_start": "Cold starts, against import boto3",
}


def draw(rows: list[dict[str, Any]], target: Path) -> None:
    """Draw one bar a row below its service's name: the median ratio, its spread, and the target as a line across."""
    # The same rows are to give the same file, and text stays text: smaller, and to be searched.
    mpl.rcParams |= {"svg.hashsalt": "sluice", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    shown = sorted(
        (row for row in rows if row["service"] != _NOT_SHOWN), key=lambda row: list(_TITLES).index(row["service"])
    )
    groups = [(service, list(found)) for service, found in groupby(shown, key=lambda row: row["service"])]
    lines = len(shown) + 2 * len(groups)
    figure = Figure(figsize=(10, _HEAD_INCHES + _ROW_INCHES * lines), layout="constrained")
    axes = figure.subplots()
    place, names = 0, {}
    for service, found in groups:
        axes.text(
            -0.01, place, _TITLES[service], transform=axes.get_yaxis_transform(), ha="right", va="center", weight="bold"
        )
        for row in found:
            place -= 1
            _draw_row(axes, place, row)
            names[place] = row["case"] if service == "cold_start" else f"{row['case']}: {row['against']}"
        place -= 2
    _set_axes(axes, names, shown, place)
    _write_head(figure, shown)
    figure.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else {})


def _draw_row(axes: Any, place: int, row: dict[str, Any]) -> None:
    is_met = row["ratio"] >= row["target"]
    colour = _REACHED if is_met else _MISSED
    spread = [[max(row["ratio"] - row["low"], 0)], [max(row["high"] - row["ratio"], 0)]]
    # Bars grow from 1: to the right is better than the other, to the left worse.
    axes.barh(place, row["ratio"] - 1, left=1, height=0.62, color=colour, alpha=0.9)
    axes.errorbar(row["ratio"], place, xerr=spread, ecolor=_GREY, elinewidth=1, capsize=2, fmt="none")
    axes.plot([row["target"]] * 2, [place - 0.42, place + 0.42], color=_TARGET, linewidth=2)
    end = max(row["high"], row["target"], 1)
    text = f"{row['ratio']:.2g}x" if row["ratio"] < 10 else f"{row['ratio']:.0f}x"
    axes.annotate(text, (end, place), (5, 0), textcoords="offset points", va="center", color=colour, weight="bold")


def _set_axes(axes: Any, names: dict[int, str], rows: list[dict[str, Any]], last: int) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.set_xlim(min([0.5, *(row["low"] * 0.9 for row in rows)]), max(row["high"] for row in rows) * 1.5)
    axes.set_ylim(last + 1, 1)
    axes.set_yticks(list(names), list(names.values()))
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", top=True, labeltop=True)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.axvline(1, color=_TARGET, linewidth=0.8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _write_head(figure: Figure, rows: list[dict[str, Any]]) -> None:
    met = sum(row["ratio"] >= row["target"] for row in rows)
    title = f"How many times as good as others: {met} of {len(rows)} targets met"
    figure.suptitle(title, x=0.01, horizontalalignment="left", fontsize=13, weight="bold")
    marks = [
        Patch(color=_REACHED, label="target met"),
        Patch(color=_MISSED, label="target missed"),
        Line2D(
            [],
            [],
            color=_TARGET,
            linewidth=2,
            marker="|",
            linestyle="",
            markersize=11,
            markeredgewidth=2,
            label="target",
        ),
        Line2D([], [], color=_GREY, marker="|", label="lowest to highest round"),
    ]
    figure.legend(handles=marks, loc="outside lower left", ncols=len(marks), frameon=False)


def main() -> int:
    """Draw; returns the exit status."""
    if len(sys.argv) != _ARGUMENTS:
        print("usage: python -m tests.bench.report.plot ROWS.json PICTURE.svg", file=sys.stderr)
        return 2
    rows = json.loads(Path(sys.argv[1]).read_text())
    if rows:
        draw(rows, Path(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
