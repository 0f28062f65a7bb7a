"""Names that survive an extraction on Windows, macOS and Linux, judged by other rules than those that made them."""

import ntpath
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zip_worker.archive.names import name_members
from zip_worker.archive.portable_names import fold, make_portable
from zip_worker.job_record import NameStyle, PathMode
from zip_worker.schemas import Source

NFC, NFD = "Pr\u00e9cis.pdf", "Pre\u0301cis.pdf"


def names(keys: list[str], paths: PathMode = "full", style: NameStyle = "portable") -> list[str]:
    sources = [Source(key, 1, f'"{number}"', 0) for number, key in enumerate(keys)]
    return [member.name for member in name_members(sources, paths, None, style)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["a/Report.pdf", "a/report.PDF"], ["a/Report.pdf", "a/report (2).PDF"]),
        (["A/x", "a/x"], ["A/x", "a/x (2)"]),
        (["A/x", "a/y"], ["A/x", "a/y"]),
        ([NFC, NFD], [NFC, "Pre\u0301cis (2).pdf"]),
        (["Data", "data/x"], ["Data (2)", "data/x"]),
        (["data/x", "DATA"], ["data/x", "DATA (2)"]),
        ([f"x/{NFC}/1", f"x/{NFD}"], [f"x/{NFC}/1", "x/Pre\u0301cis (2).pdf"]),
        (["Stra\u00dfe", "STRASSE"], ["Stra\u00dfe", "STRASSE (2)"]),
        (["\u212a", "k"], ["\u212a", "k (2)"]),
        (["\u00b5", "\u03bc"], ["\u00b5", "\u03bc (2)"]),
        (["I\u0307", "\u0130"], ["I\u0307", "\u0130 (2)"]),
        (["a:b", "a?b"], ["a_b", "a_b (2)"]),
        (
            ["CON", "con.txt", "aux.tar.gz", "lpt1", "COM\u00b9.x"],
            ["_CON", "_con.txt", "_aux.tar.gz", "_lpt1", "_COM\u00b9.x"],
        ),
        (
            ["nul /x", "NUL/x", "console", "com", "com10", "a.con"],
            ["nul_/x", "_NUL/x", "console", "com", "com10", "a.con"],
        ),
        (["end.", "end ", "a./b /c", "..."], ["end_", "end_ (2)", "a_/b_/c", ".._"]),
        (["a\u202egpj.exe", "a\u2028b", "a\x85b", "a\u200fb"], ["a_gpj.exe", "a_b", "a_b (2)", "a_b (3)"]),
        (["a\uffffb", "\u2067x"], ["a_b", "_x"]),
        ([".. /x", ". /x"], [".._/x", "._/x"]),
        (
            ["ok.pdf", "d\u00e9j\u00e0 vu.txt", "\u65e5\u672c\u8a9e.md"],
            ["ok.pdf", "d\u00e9j\u00e0 vu.txt", "\u65e5\u672c\u8a9e.md"],
        ),
    ],
)
def test_names_become_portable_and_stay_apart(keys: list[str], expected: list[str]) -> None:
    assert names(keys) == expected


@pytest.mark.parametrize(
    "keys", [["Report.pdf", "report.pdf"], [NFC, NFD], ["ab:c?.txt"], ["CON", "end."], ["Data", "data/x"]]
)
def test_names_are_the_keys_where_that_is_asked_for(keys: list[str]) -> None:
    assert names(keys, style="asIs") == keys


@pytest.mark.parametrize("style", ["portable", "asIs"])
@pytest.mark.parametrize(
    "key", ["../../x", "/x", "C:/x", "..\\x", "\\\\server\\x", "C:\\x", ".. /x", "./ ../x", ".../../x"]
)
def test_no_style_leads_out_of_the_folder(key: str, style: NameStyle) -> None:
    (name,) = names([key], style=style)
    assert not ntpath.isabs(name)
    assert not ntpath.splitdrive(name)[0]
    assert not {segment.rstrip(" .") for segment in name.split("/")} & {""} or ".." not in [
        s.rstrip(" ") for s in name.split("/")
    ]


def test_a_numbered_name_counts_on() -> None:
    assert names(["a/r.pdf", "b/r.pdf", "c/r (2).pdf", "d/r (2).pdf"], "basename") == [
        "r.pdf",
        "r (2).pdf",
        "r (3).pdf",
        "r (4).pdf",
    ]
    assert names(["a/r (7).pdf", "b/R (7).pdf"], "basename") == ["r (7).pdf", "R (8).pdf"]


def test_long_segments_fit_and_stay_apart() -> None:
    keys = ["x" * 300 + f"{number}.pdf" for number in range(3)] + [
        "\u00e9" * 200 + ".pdf",
        "f" * 260 + "/y",
        "s." + "z" * 300,
    ]
    found = names(keys)
    assert len({fold(name) for name in found}) == len(keys)
    assert all(len(segment.encode()) <= 255 for name in found for segment in name.split("/"))
    assert [name.endswith(".pdf") for name in found] == [True] * 4 + [False] * 2


def test_a_hundred_thousand_names_of_two_cases_are_all_different() -> None:
    keys = [f"{number}/{'Same' if number % 2 else 'sAME'}.pdf" for number in range(100_000)]
    assert len({name.lower() for name in names(keys, "basename")}) == 100_000


def as_windows_sees(name: str) -> str:
    """NTFS compares by upper case, character by character; what opens files drops dots and spaces at the end."""
    segments = [segment.rstrip(". ") for segment in name.split("/")]
    return "/".join("".join(char.upper() if len(char.upper()) == 1 else char for char in one) for one in segments)


def as_macos_sees(name: str) -> str:
    """APFS and HFS+ compare the decomposed name by case folding."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


_SEGMENT = st.text(
    st.sampled_from('aAbB. :?*<>|"\u00e9\u00c9e\u0301E\u00df\u212ak\u0130\u0131i\u03c3\u03c2\u202e\x85\x07~$')
    | st.characters(exclude_categories=["Cs"]),
    min_size=1,
    max_size=6,
) | st.sampled_from(["CON", "nul.txt", "AUX ", "com1.a.b", "CLOCK$", "..", ".", "a (2)", "A (2)", "x" * 256])
_KEYS = st.lists(st.lists(_SEGMENT, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12)


@given(_KEYS, st.sampled_from(["basename", "relative", "full"]))
@example(["a", "A/b", "a/B", "a (2)"], "full")
def test_extracting_on_windows_or_macos_loses_no_member(keys: list[str], paths: PathMode) -> None:
    found = names(keys, paths)
    assert len(found) == len(keys)
    for see in (as_windows_sees, as_macos_sees):
        files = [see(name) for name in found]
        folders = {file[:index] for file in files for index, char in enumerate(file) if char == "/"}
        assert len(set(files)) == len(files)
        assert not folders & set(files)
    for name in found:
        for segment in name.split("/"):
            assert not ntpath.isreserved(segment), segment
            assert len(segment.encode()) <= 255


@given(_SEGMENT.filter(lambda text: "/" not in text))
def test_a_portable_name_is_left_alone(segment: str) -> None:
    once = make_portable(segment)
    assert make_portable(once) == once
