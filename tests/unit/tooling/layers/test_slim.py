"""Files and symbols that are removed from a layer after its installation."""

import ctypes
import shutil
from importlib.util import find_spec
from pathlib import Path

from slim import cut_library, cut_symbols, leave_out, read_patterns
from tests.unit.tooling.layers.conftest import WriteFiles

SYMBOLS_TABLE = b".symtab"


def find_library() -> Path:
    """A shared library."""
    spec = find_spec("orjson.orjson")
    assert spec
    assert spec.origin
    return Path(spec.origin)


def test_patterns_are_read_without_comments(write_files: WriteFiles) -> None:
    root = write_files({"leave_out.txt": "# why\n\na/*.h  # headers\n*flight*\n"})
    assert read_patterns(root / "leave_out.txt") == ["a/*.h", "*flight*"]
    assert read_patterns(root / "missing.txt") == []


def test_files_that_match_a_pattern_are_left_out_at_any_depth(write_files: WriteFiles) -> None:
    root = write_files({"a/b/c.h": "", "a/d.h": "", "a/d.py": "", "e/f.h": "", "a/libflight.so.1": ""})
    leave_out(root, ["a/*.h", "*flight*"])
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()) == [
        "a/d.py",
        "e/f.h",
    ]


def test_cut_library_still_loads(tmp_path: Path) -> None:
    whole = find_library().read_bytes()
    padded = whole + b"what only debuggers read" * 1000
    cut = cut_library(padded)
    assert len(cut) <= len(whole)
    assert SYMBOLS_TABLE not in cut
    shorter = tmp_path / "short.so"
    shorter.write_bytes(cut)
    assert callable(ctypes.CDLL(str(shorter)).PyInit_orjson)
    assert cut_library(cut) == cut, "once is enough"


def test_libraries_of_a_tree_are_cut_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    library = tmp_path / "p" / "lib.so.26"
    shutil.copy(find_library(), library)
    with library.open("ab") as file:
        file.write(bytes(100_000))
    before = library.stat().st_size
    (tmp_path / "p" / "text.so").write_text("no library")
    (tmp_path / "p" / "data.bin").write_bytes(library.read_bytes())
    cut_symbols(tmp_path)
    assert library.stat().st_size <= before - 100_000
    assert (tmp_path / "p" / "text.so").read_text() == "no library"
    assert (tmp_path / "p" / "data.bin").stat().st_size == before
