"""Code that is compiled before it is packed: the same bytes each time, used in place of its source."""

import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

from compiled import compile_files
from tests.unit.tooling.layers.conftest import WriteFiles

SOURCE = """
COLOURS = frozenset({"red", "green", "blue", "black", "white"})

def fail():
    raise ValueError(sorted(COLOURS))
"""


def test_code_is_packed_beside_its_source_and_nothing_is_lost(write_files: WriteFiles, tmp_path: Path) -> None:
    root = write_files({"one.py": SOURCE, "data.json": "{}", "broken.py": "print 'two'"})
    files = {f"pkg/{name}": root / name for name in ("one.py", "data.json", "broken.py")}
    found = compile_files(files, tmp_path / "code")
    assert set(found) == {*files, cache_from_source("pkg/one.py")}
    assert all(path.is_file() for path in found.values())


def test_same_source_gives_the_same_code_wherever_it_lies(write_files: WriteFiles, tmp_path: Path) -> None:
    root = write_files({"here/one.py": SOURCE, "there/two/one.py": SOURCE})
    codes = []
    for place in ("here", "there/two"):
        found = compile_files({"pkg/one.py": root / place / "one.py"}, tmp_path / place)
        codes.append(found[cache_from_source("pkg/one.py")].read_bytes())
    assert codes[0] == codes[1]


def test_code_runs_in_place_of_its_source_and_names_where_it_is(write_files: WriteFiles) -> None:
    root = write_files({"one.py": SOURCE})
    code = compile_files({"one.py": root / "one.py"}, root)[cache_from_source("one.py")]
    assert code == root / cache_from_source("one.py")
    (root / "one.py").write_text("raise SystemExit('the source was compiled again')")
    done = subprocess.run(
        [sys.executable, "-B", "-c", "import one; one.fail()"], cwd=root, capture_output=True, text=True, check=False
    )
    assert "ValueError: ['black', 'blue', 'green', 'red', 'white']" in done.stderr
    assert f'File "{root / "one.py"}"' in done.stderr
