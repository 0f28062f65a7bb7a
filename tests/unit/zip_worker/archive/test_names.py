import re
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zip_worker.archive.names import name_members
from zip_worker.job_record import PathMode
from zip_worker.schemas import Source


def names(keys: Sequence[str], paths: PathMode = "basename", prefix: str | None = None, size: int = 1) -> list[str]:
    sources = [Source(key, 0 if key.endswith("/") and size == 1 else size, '"e"', 0) for key in keys]
    return [member.name for member in name_members(sources, paths, prefix)]


def test_basename_is_the_last_segment() -> None:
    assert names(["uploads/2026/a.pdf", "b.pdf"]) == ["a.pdf", "b.pdf"]


def test_equal_names_are_numbered_before_the_suffix() -> None:
    assert names(["1/r.pdf", "2/r.pdf", "3/r.pdf", "4/r"]) == ["r.pdf", "r (2).pdf", "r (3).pdf", "r"]


def test_numbering_steps_over_a_name_that_is_really_there() -> None:
    assert names(["r (2).pdf", "1/r.pdf", "2/r.pdf"]) == ["r (2).pdf", "r.pdf", "r (3).pdf"]


def test_key_named_twice_is_in_the_archive_twice() -> None:
    assert names(["a.pdf", "a.pdf"]) == ["a.pdf", "a (2).pdf"]


@pytest.mark.parametrize(
    ("keys", "prefix", "expected"),
    [
        (["up/2026/a.pdf", "up/2026/x/b.pdf"], "up/", ["2026/a.pdf", "2026/x/b.pdf"]),
        (["up/2026-1/a.pdf", "up/2026-2/b.pdf"], "up/2026", ["2026-1/a.pdf", "2026-2/b.pdf"]),
        (["up/a/1.pdf", "up/b/2.pdf"], None, ["a/1.pdf", "b/2.pdf"]),
        (["up/a/1.pdf", "other/2.pdf"], "up/", ["up/a/1.pdf", "other/2.pdf"]),
        (["one/alone.pdf"], None, ["alone.pdf"]),
    ],
)
def test_relative_names_leave_out_the_common_folder(keys: list[str], prefix: str | None, expected: list[str]) -> None:
    assert names(keys, "relative", prefix) == expected


def test_full_names_are_the_keys() -> None:
    assert names(["up/a b/ü+%.pdf"], "full") == ["up/a b/ü+%.pdf"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("a/../../b", "a/b"),
        ("a//b", "a/b"),
        ("./a", "a"),
        ("..\\..\\windows\\win.ini", "windows/win.ini"),
        ("C:\\boot.ini", "boot.ini"),
        ("C:/boot.ini", "boot.ini"),
        ("/C:/boot.ini", "boot.ini"),
        ("../C:/D:/boot.ini", "boot.ini"),
        ("C:boot.ini", "C_boot.ini"),
        ("C:", "file"),
        ("a\nb\x00c\x7f", "a_b_c_"),
        ("..", "file"),
        ("//", "file"),
    ],
)
def test_names_that_would_leave_the_folder_are_made_harmless(key: str, expected: str) -> None:
    assert names([key], "full", size=2) == [expected]


def test_file_that_another_key_uses_as_a_folder_is_renamed() -> None:
    assert names(["a", "a/b"], "full") == ["a (2)", "a/b"]
    assert names(["a/b", "a"], "full") == ["a/b", "a (2)"]


def test_folder_markers_become_folders_where_there_are_folders() -> None:
    assert names(["up/", "up/empty/", "up/a.pdf"], "full") == ["up/", "up/empty/", "up/a.pdf"]
    assert names(["up/", "up/empty/", "up/a.pdf"], "relative", "up/") == ["empty/", "a.pdf"]
    assert names(["up/", "up/empty/", "up/a.pdf"]) == ["a.pdf"]


def test_object_with_data_whose_key_ends_with_a_slash_is_a_file() -> None:
    assert names(["up/odd/"], "full", size=3) == ["up/odd"]
    assert names(["up/odd/"], size=3) == ["odd"]


def test_one_hundred_thousand_equal_names_are_all_different() -> None:
    given = names([f"{number}/same.pdf" for number in range(100_000)])
    assert len(set(given)) == 100_000
    assert given[-1] == "same (100000).pdf"


_KEYS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("/.\\ab\x00:"), min_size=1, max_size=20),
    min_size=1,
    max_size=30,
)


@given(_KEYS, st.sampled_from(["basename", "relative", "full"]))
def test_names_are_unique_relative_and_extractable(keys: list[str], paths: PathMode) -> None:
    members = names(keys, paths, size=5)
    assert len(members) == len(keys)
    assert len(set(members)) == len(members)
    folders = {name[:index] for name in members for index, char in enumerate(name) if char == "/"}
    for name in members:
        assert name
        assert not name.startswith("/")
        assert not {"", ".", ".."} & set(name.split("/"))
        assert "\\" not in name
        assert all(unicodedata.category(char) != "Cc" or char > "\x7f" for char in name)
        assert name not in folders
        assert not re.match("[A-Za-z]:", name)
