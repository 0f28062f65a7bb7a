"""The compilation of the Lambdas' C files."""

import ctypes
import os
import re
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from native import COMPILER, choose_target, compile_libraries, compile_library, main
from tests.support.tiers import few_quick
from tests.unit.tooling.layers.conftest import WriteFiles
from wheels import BuildError

ROOT = Path(__file__).parents[4]
# Kinds of machines in an ELF header: System V ABI, "ELF Header", e_machine.
MACHINES = {"x86_64": 62, "arm64": 183}
ADD = """
#include "numbers.h"
#include <string.h>

number add(const number *first, const number *second, unsigned count) {
    number sum[64];
    memcpy(sum, first, count * sizeof *sum);
    return *sum + *second;
}
"""
PACKAGE = {"alpha/numbers.h": "#include <stdint.h>\ntypedef int64_t number;\n", "alpha/add.c": ADD}


@pytest.fixture
def package(write_files: WriteFiles) -> Path:
    return write_files(PACKAGE) / "alpha"


def read_machine(library: bytes) -> int:
    assert library.startswith(b"\x7fELF")
    machine: int = struct.unpack_from("<H", library, 18)[0]
    return machine


@pytest.mark.parametrize("architecture", sorted(MACHINES))
def test_library_is_for_the_machine_that_was_asked_for(package: Path, tmp_path: Path, architecture: str) -> None:
    target = choose_target(architecture, native=False)
    libraries = compile_libraries(package, tmp_path / "out", target)
    assert libraries == {"alpha/add.so": tmp_path / "out/alpha/add.so"}
    assert read_machine(libraries["alpha/add.so"].read_bytes()) == MACHINES[architecture]


@pytest.mark.parametrize("architecture", sorted(MACHINES))
@pytest.mark.parametrize("source", few_quick(sorted((ROOT / "lambdas").rglob("*.c"))), ids=lambda path: path.stem)
def test_c_files_of_the_checkout_compile_for_lambda(source: Path, architecture: str, tmp_path: Path) -> None:
    compile_library(source, tmp_path / "it.so", choose_target(architecture, native=False))
    assert read_machine((tmp_path / "it.so").read_bytes()) == MACHINES[architecture]


def test_this_machine_loads_its_own(package: Path, tmp_path: Path) -> None:
    compile_library(package / "add.c", tmp_path / "add.so", choose_target("x86_64", native=True))
    library = ctypes.CDLL(str(tmp_path / "add.so"))
    number = ctypes.c_int64
    library.add.restype = number
    assert library.add(ctypes.byref(number(2**40)), ctypes.byref(number(2)), 1) == 2**40 + 2


@pytest.mark.parametrize("target", ["x86_64-linux-gnu.2.34", "aarch64-linux-gnu.2.34", "aarch64-macos.11.0"])
def test_same_source_gives_same_bytes_in_whatever_folder(target: str, write_files: WriteFiles) -> None:
    root = write_files({f"{folder}/{name}": text for folder in ("one", "two/deeper") for name, text in PACKAGE.items()})
    first, second = (
        compile_libraries(root / folder / "alpha", root / folder / "out", target)["alpha/add.so"].read_bytes()
        for folder in ("one", "two/deeper")
    )
    assert first == second
    for path in (root, ROOT, Path(sys.prefix), Path.home()):
        assert os.fsencode(path) not in first


def test_library_needs_no_other(package: Path, tmp_path: Path) -> None:
    compile_library(package / "add.c", tmp_path / "add.so", choose_target("x86_64", native=False))
    assert b"libc" not in (tmp_path / "add.so").read_bytes()


def test_nothing_is_left_but_the_library(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    assert main(["--output", str(tmp_path / "out/add.so"), str(package / "add.c")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["add.so"]
    assert list(home.iterdir()) == []


def test_by_hand_it_lies_beside_its_source(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(package)
    assert main(["add.c"]) == 0
    assert sorted(path.name for path in package.iterdir()) == ["add.c", "add.so", "numbers.h"]


def test_what_the_compiler_says_is_told(package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = tmp_path / "add.so"
    library.write_bytes(b"the last one that compiled")
    (package / "add.c").write_text("int add(int first) {\n    return first + second;\n}\n")
    with pytest.raises(BuildError, match=re.escape(f"could not compile {package / 'add.c'}")):
        compile_library(package / "add.c", library, choose_target("arm64", native=False))
    assert main(["--architecture", "arm64", "--output", str(library), str(package / "add.c")]) == 1
    assert "add.c:2:20: error: use of undeclared identifier 'second'" in capsys.readouterr().err
    assert library.read_bytes() == b"the last one that compiled"


def test_warnings_are_errors(package: Path, tmp_path: Path) -> None:
    (package / "add.c").write_text("int add(int first, int second) { return first; }\n")
    with pytest.raises(BuildError, match="unused parameter 'second'"):
        compile_library(package / "add.c", tmp_path / "add.so", choose_target("x86_64", native=False))


def test_missing_compiler_is_named_with_how_to_get_it(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The interpreter without its packages.
    monkeypatch.setattr("native.COMPILER", (sys.executable, "-S", *COMPILER[1:]))
    with pytest.raises(BuildError, match="no compiler: `make setup` installs it"):
        compile_library(package / "add.c", tmp_path / "add.so", choose_target("x86_64", native=False))


def test_package_without_c_needs_no_compiler(
    write_files: WriteFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("native.COMPILER", ("no-such-compiler",))
    root = write_files({"alpha/app.py": ""})
    assert compile_libraries(root / "alpha", tmp_path / "out", choose_target("x86_64", native=False)) == {}


@pytest.mark.parametrize(
    ("system", "machine", "target"),
    [
        ("linux", "x86_64", "x86_64-linux-gnu.2.34"),
        ("linux", "aarch64", "aarch64-linux-gnu.2.34"),
        ("darwin", "arm64", "aarch64-macos.11.0"),
        ("darwin", "x86_64", "x86_64-macos.11.0"),
    ],
)
def test_this_machine_has_a_name(system: str, machine: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert choose_target("x86_64", native=True) == target


def test_compiler_is_the_pinned_one() -> None:
    assert find_spec("ziglang")
    version = subprocess.run([*COMPILER[:-1], "version"], capture_output=True, text=True, check=True).stdout.strip()
    assert f"ziglang=={version}\n" in (ROOT / "requirements-scripts.txt").read_text()
