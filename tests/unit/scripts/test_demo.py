import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from lib.demo_summary import print_summary
from lib.facts import note
from tests.unit.scripts.conftest import ROOT

COMMAND = "curl -sS 'http://127.0.0.1:4566/zip-jobs?limit=5' -H 'X: [bold]not markup[/bold]' " + "x" * 200


def test_commands_are_printed_whole_on_a_narrow_terminal() -> None:
    notes = [
        {"kind": "title", "label": "ZIP jobs", "value": ""},
        {"kind": "fact", "label": "Archive", "value": "/a/long/path/" + "y" * 100},
        {"kind": "command", "label": "list", "value": COMMAND},
    ]
    printed = io.StringIO()

    print_summary([notes], Console(file=printed, width=40))

    lines = printed.getvalue().splitlines()
    assert COMMAND in lines
    assert "Archive  /a/long/path/" + "y" * 100 in lines


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
        "10-first": '. "$(dirname "$0")/../lib/common.sh"; run_python facts title First; run_python facts fact did one',
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
        assert "did  one" in done.stdout
