"""Checks the checkout's prerequisites: `doctor.py` prints a line for each, `doctor.py NAME...` those that are missing.

The exit status is 1 if a required one is missing. Runs with any Python from 3.8 on.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from prerequisites.checks import CHECKS, Machine
from prerequisites.cli_configuration import write_whole

ROOT = Path(__file__).resolve().parents[1]
SAID = ".local/terraform/said"


def show_all(machine: Machine) -> int:
    """Print a line for each prerequisite; returns the exit status."""
    status = 0
    for title, check, without in CHECKS.values():
        finding = check(machine)
        word = "ok" if finding.ok else "optional" if without else "missing"
        text = " ".join(finding.text.split()) if finding.ok or not without else f"{finding.text} ({without})"
        print(f"{word:<9} {title:<13} {text}")
        status = status or int(word == "missing")
    for notice in machine.choice.notices if machine.choice else ():
        print(f"note      {notice}")
    return status


def show_missing(machine: Machine, names: list[str]) -> int:
    """Print what of the named things is missing; returns the exit status."""
    status = 0
    for name in names:
        finding = CHECKS[name][1](machine)
        if not finding.ok:
            print(f"missing: {finding.text}", file=sys.stderr)
            status = 1
            if name in {"python", "terraform"}:
                break
    if not status:
        say_origin(machine)
    return status


def say_origin(machine: Machine) -> None:
    """Print where the provider comes from, unless that was said before."""
    if not machine.choice:
        return
    text = "\n".join([*machine.choice.notices, f"Terraform's AWS provider: {machine.choice.origin}"])
    path = machine.root / SAID
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        print(text, flush=True)
        write_whole(path, text)


def main(arguments: list[str] | None = None) -> int:
    """Check; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check what the checkout needs of the machine.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"say only if one is missing of: {', '.join(CHECKS)}")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.names) - set(CHECKS))
    if unknown:
        parser.error(f"nothing is known of {', '.join(unknown)}")
    machine = Machine(ROOT, os.environ)
    return show_missing(machine, chosen.names) if chosen.names else show_all(machine)


if __name__ == "__main__":
    sys.exit(main())
