"""The deployment packages, unpacked for the bench, and their sizes."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.harness.comparison import Row, make_row
from tests.bench.harness.processes import ROOT
from tests.bench.harness.ratios import Ratio

SERVICE = "size"
LIMIT_MB = 250
"""Of a function with its layers, unzipped, 1,048,576 bytes each, as Lambda counts."""
AGAINST = f"Lambda's {LIMIT_MB} MB"
_OUTPUT = ROOT / ".local" / "bench" / "zips"
_MIB = 1 << 20


def build(say: Callable[[str], None]) -> dict[str, Any]:
    """Build all zips for this machine's interpreter; returns the sizes that the build wrote."""
    say("building the zips (a minute or two the first time)")
    command = [sys.executable, str(ROOT / "layers" / "build.py"), "--native", "--output", str(_OUTPUT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return dict(json.loads((_OUTPUT / "sizes.json").read_text()))


def make_size_rows(sizes: dict[str, Any]) -> list[Row]:
    """Return a row for each function: how often it would fit into what Lambda allows."""
    rows = []
    for package, found in sizes["functions"].items():
        times = LIMIT_MB * _MIB / found["unpacked"]
        row = make_row(SERVICE, package, AGAINST, 1.0, Ratio(times, times, times), rss_mb=None, s3_requests=None)
        parts = {name: round(sizes["zips"][name]["unpacked"] / _MIB, 2) for name in (package, *found["layers"])}
        rows.append(row | {"mb": round(found["unpacked"] / _MIB, 2), "parts": parts})
    return rows


def unpack(sizes: dict[str, Any], folder: Path) -> dict[str, list[str]]:
    """Unpack all zips; returns the folders that Lambda would have on its path, by package."""
    for kind in ("layers", "lambdas"):
        for path in (_OUTPUT / kind).glob("*.zip"):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder / kind / path.stem)
    return {
        package: [
            str(folder / "lambdas" / package),
            *(str(folder / "layers" / layer / "python") for layer in found["layers"]),
        ]
        for package, found in sizes["functions"].items()
    }
