"""Static checks of the commands in Markdown files (end-to-end tests run them)."""

import re
from pathlib import Path

import pytest

from tests.support.command_blocks import Block, read_blocks

ROOT = Path(__file__).parents[3]
BLOCKS = read_blocks()
PASTED = [block for block in BLOCKS if block.language == "bash"]
MOST_THAT_ARE_NOT_RUN = 20
# What the stack's prerequisites and every Linux and macOS have.
PROGRAMS = {"make", "curl", "unzip", "cmp", "cut", "do", "done", "echo", "grep", "sleep", "while", "."}
ASSIGNMENTS = re.compile(r"^(?:[A-Za-z_]\w*=\S*\s+)+")
SEPARATORS = re.compile(r"\|\||&&|[|;\n]|\$\(|\bwhile\b|\bdo\b")
QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\$]|\\.|\$(?!\())*\"")


def name_programs(text: str) -> set[str]:
    """Return the first word of every command."""
    commands = SEPARATORS.split(QUOTED.sub("Q", text.replace("\\\n", " ")))
    bare = [ASSIGNMENTS.sub("", f"{command.strip()} ").strip() for command in commands]
    return {command.split()[0].rstrip(")") for command in bare if command}


def test_commands_are_found_in_a_block() -> None:
    text = (
        "A=1 make x\nB=$(scripts/a.sh \"$C; d\" | cut -d '\"' -f 4)\nwhile curl x | grep -q 'a|b'; do sleep 1; done\n"
    )
    assert name_programs(text) == {"make", "scripts/a.sh", "cut", "curl", "grep", "sleep", "done"}


def test_there_are_blocks_in_every_readme_that_shows_commands() -> None:
    files = {block.file for block in PASTED}
    assert {"README.md", "infra/queries/README.md", "scripts/sample_files/README.md"} <= files
    assert {f"lambdas/{path.parent.name}/README.md" for path in ROOT.glob("lambdas/*/README.md")} <= files


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_block_is_run_or_says_why_not(block: Block) -> None:
    assert block.language in {"bash", "sh"}, "bash: the tests run it; sh: they do not, and its first line says why"
    assert (block.reason is None) is (block.language == "bash")


def test_few_blocks_are_not_run() -> None:
    assert len([block for block in BLOCKS if block.reason]) <= MOST_THAT_ARE_NOT_RUN


@pytest.mark.parametrize("block", PASTED, ids=str)
def test_pasted_lines_have_no_placeholders_and_no_comments(block: Block) -> None:
    assert not re.search(r"…|<\w[^>]*>|example\.(com|org)|\bBUCKET/|\bKEY\b", block.text)
    # zsh, the shell of macOS, takes a comment in a pasted line for words of the command.
    assert not re.search(r"(^|\s)#", block.text)


@pytest.mark.parametrize("block", PASTED, ids=str)
def test_pasted_lines_need_no_program_that_may_be_missing(block: Block) -> None:
    ours = {name for name in name_programs(block.text) if name.startswith(("scripts/", ".venv/bin/"))}
    assert name_programs(block.text) - ours <= PROGRAMS


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_files_and_targets_that_a_block_names_are_there(block: Block) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for call in re.findall(r"^make ([^\n|;&]*)", block.text, re.MULTILINE):
        assert {word for word in call.split() if re.fullmatch(r"[a-z][\w-]*", word)} <= targets
    for path in re.findall(r"(?:^|[\s=@])((?:scripts|tests|lambdas|infra|docs)/[\w./-]*\w)", block.text):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"-m ((?:tests|data_aggregator|dataset_download)[\w.]*)", block.text):
        places = [ROOT / base / module.replace(".", "/") for base in (".", "lambdas")]
        assert any(place.is_dir() or place.with_suffix(".py").is_file() for place in places), module
