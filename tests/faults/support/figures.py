"""Counts of the fault runs: results go to `.local/faults.jsonl`, from which `tests.faults.report` makes a table."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FIGURES = ROOT / ".local" / "faults.jsonl"
SEED = int(os.environ.get("SEED", "20261121"))
ROUNDS = int(os.environ.get("ROUNDS", "1"))
"""Number of runs of each fault, with consecutive seeds."""


@dataclass(frozen=True)
class Figures:
    """One run: how many faults happened, and what became of the results."""

    service: str
    fault: str
    seed: int
    injected: int
    results: int
    lost: int
    duplicated: int
    corrupt: int
    command: str
    """What repeats it, behind `pytest`."""


def record(figures: Figures) -> None:
    """Print and keep a run's figures; fails unless faults happened and nothing was lost, duplicated or corrupt."""
    line = json.dumps(asdict(figures))
    print(line)
    FIGURES.parent.mkdir(exist_ok=True)
    with FIGURES.open("a") as file:
        file.write(f"{line}\n")
    assert figures.injected, "no fault happened: the run says nothing"
    assert (figures.lost, figures.duplicated, figures.corrupt) == (0, 0, 0), line
