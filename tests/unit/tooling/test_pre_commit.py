"""The pre-commit hooks run the same tools, with the same options, as `make lint` and `make typecheck`."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
MAKE_ONLY = {"."}
"""Arguments of `make lint` that name all files; pre-commit passes the files of the commit."""
HOOK_ONLY = {"--force-exclude"}
"""Lets ruff skip what its settings exclude although pre-commit names it."""


def read_hooks() -> list[dict[str, Any]]:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    return list(repository["hooks"])


def list_commands(target: str) -> list[str]:
    """Return the recipe of a target without its echo, with the tools' paths as the hooks have them."""
    (recipe,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = [line.strip().removeprefix("@") for line in recipe.splitlines()]
    return [
        line.replace("$(VENV)", ".venv").replace("$(RUN_TF)", ".venv/bin/python scripts/run_terraform.py")
        for line in lines
        if not line.startswith("echo ")
    ]


def read_tool(command: str) -> tuple[str, ...]:
    """Return a command from its tool on, without the files that it is given."""
    found = re.search(r"\.venv/bin/.*", command)
    assert found, command
    words = re.sub(r"\$\$\(.*|\{\} \+", "", found[0]).split()
    return tuple(word for word in words if word not in MAKE_ONLY | HOOK_ONLY | {".ci/run"})


def test_hooks_are_the_checks_of_make() -> None:
    checks = {read_tool(command) for target in ("lint", "typecheck") for command in list_commands(target)}
    assert {read_tool(hook["entry"]) for hook in read_hooks()} == checks


def test_hooks_see_the_files_that_make_checks() -> None:
    patterns = {hook["id"]: hook["files"] for hook in read_hooks() if "files" in hook}
    checked = {
        "clang-format": [*ROOT.glob("lambdas/**/*.[ch]")],
        "shellcheck": [ROOT / ".ci/run", *ROOT.glob("scripts/**/*.sh")],
        "terraform-fmt": [*ROOT.glob("infra/**/*.tf"), *ROOT.glob("infra/**/*.tftest.hcl")],
    }
    for name, files in checked.items():
        assert files
        missed = [str(path) for path in files if not re.search(patterns[name], path.relative_to(ROOT).as_posix())]
        assert missed == [], name
