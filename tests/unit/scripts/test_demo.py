import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from lib.common.demo_notes import note
from lib.common.demo_summary import print_summary
from tests.unit.scripts.conftest import ROOT

COMMAND = "curl -sS 'http://127.0.0.1:4566/zip-jobs?limit=5' -H 'X: [bold]not markup[/bold] {Size}' " + "x" * 200
STEPS = sorted((ROOT / "scripts" / "demo.d").glob("*.sh"))


def summarize(notes: list[dict[str, str]], width: int) -> list[str]:
    printed = io.StringIO()
    print_summary([notes], Console(file=printed, width=width))
    return printed.getvalue().splitlines()


def test_commands_are_printed_whole_on_lines_of_their_own() -> None:
    notes = [
        {"kind": "title", "label": "", "value": "ZIP jobs"},
        {"kind": "fact", "label": "Archive", "value": "/a/long/path/" + "y" * 100},
        {"kind": "look", "label": "", "value": "{Archive}"},
        {"kind": "try", "label": "", "value": COMMAND},
    ]

    lines = summarize(notes, 40)

    assert f"  {COMMAND}" in lines
    assert "Look at: /a/long/path/" + "y" * 100 in lines
    assert "  . .local/outputs.env" in lines


def test_facts_stand_in_sentences() -> None:
    notes = [
        {"kind": "happened", "label": "", "value": "500 PDFs, {Size}; {Not noted}"},
        {"kind": "fact", "label": "Size", "value": "19 MB [red]{Size}"},
        {"kind": "fact", "label": "Unused", "value": "unused"},
    ]

    lines = summarize(notes, 100)

    assert "500 PDFs, 19 MB [red]{Size}; {Not noted}" in lines
    assert not any("unused" in line for line in lines)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.stem)
def test_step_says_what_happened_where_to_look_and_one_line_to_try(step: Path) -> None:
    text = step.read_text()
    kinds = re.findall(r"^run_python common.demo_notes (\w+) ", text, re.MULTILINE)

    assert kinds.count("title") == kinds.count("look") == kinds.count("try") == 1
    assert 1 <= kinds.count("happened") <= 2
    scripts = [*(ROOT / "scripts").glob("*.[ps][yh]"), *(ROOT / "scripts/lib").rglob("*.[ps][yh]")]
    noted = "".join(path.read_text() for path in scripts)
    labels = re.findall(r"\{([A-Z][^{}$]*)\}", "".join(re.findall(r"demo_notes (?:happened|look) .*", text)))
    assert [label for label in labels if f'"{label}"' not in noted] == []


def test_notes_are_kept_for_the_summary_only_in_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_FACTS", raising=False)
    note("fact", "lost", "1")
    monkeypatch.setenv("SLUICE_FACTS", str(tmp_path / "notes.jsonl"))
    note("fact", "kept", "2")

    written = (tmp_path / "notes.jsonl").read_text().splitlines()

    assert [json.loads(line) for line in written] == [{"kind": "fact", "label": "kept", "value": "2"}]


@pytest.mark.parametrize("fails", [False, True])
def test_demo_runs_every_step_in_order_and_stops_at_a_failure(tmp_path: Path, fails: bool) -> None:
    shutil.copytree(ROOT / "scripts" / "lib", tmp_path / "scripts" / "lib")
    shutil.copy(ROOT / "scripts" / "demo.sh", tmp_path / "scripts")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    steps = tmp_path / "scripts" / "demo.d"
    steps.mkdir()
    for name, body in {
        "10-first": '. "$(dirname "$0")/../lib/common.sh"; run_python common.demo_notes title First\n'
        "run_python common.demo_notes fact did one; run_python common.demo_notes happened 'it did {did}'",
        "20-second": "exit 3" if fails else "echo second ran",
        "30-third": "echo third ran",
    }.items():
        (steps / f"{name}.sh").write_text(f"#!/usr/bin/env bash\nset -eu\n{body}\n")
        (steps / f"{name}.sh").chmod(0o755)

    done = subprocess.run([tmp_path / "scripts" / "demo.sh"], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == (1 if fails else 0), done.stderr
    if fails:
        assert "the step 20-second.sh failed" in done.stderr
        assert "third ran" not in done.stdout
    else:
        assert done.stdout.index("second ran") < done.stdout.index("third ran") < done.stdout.index("First")
        assert "\nit did one\n" in done.stdout
