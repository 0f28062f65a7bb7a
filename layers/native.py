"""Compiles the C files of the Lambdas: `python layers/native.py --help`.

The compiler is Zig's, a wheel with clang and the headers of every platform: the same bytes come of the same source on
whatever machine, for either architecture of Lambda's. What it makes needs no library: the few functions of C that it
calls, such as memcpy, are those of the process that loads it.
"""

import argparse
import platform
import sys
import tempfile
from pathlib import Path

from wheels import WHEEL_ARCHITECTURES, BuildError, run

# The libc of Lambda's Python 3.13 (Amazon Linux 2023): its headers, nothing is linked.
LAMBDA_LIBC = "linux-gnu.2.34"
# The oldest version that Python 3.13 runs on, for both architectures.
OLDEST_MACOS = "macos.11.0"
MACHINES = {"arm64": "aarch64", "amd64": "x86_64"}
COMPILER = (sys.executable, "-P", "-m", "ziglang", "cc")
COMPILE = ("-std=c11", "-O3", "-fPIC", "-Wall", "-Wextra", "-Werror", "-g0", "-fno-sanitize=undefined")
LINK = ("-shared", "-s", "-nostdlib")


def choose_target(architecture: str, *, native: bool) -> str:
    """Return the compiler's name for Lambda on an architecture, or (`native`) for this machine."""
    if not native:
        return f"{WHEEL_ARCHITECTURES[architecture]}-{LAMBDA_LIBC}"
    machine = platform.machine().lower()
    system = OLDEST_MACOS if sys.platform == "darwin" else LAMBDA_LIBC
    # Not this machine's exact processor: the tested code must be the code that Lambda runs.
    return f"{MACHINES.get(machine, machine)}-{system}"


def find_sources(package: Path) -> list[Path]:
    """Return the C files below a Lambda's folder, each of which becomes a library in the same folder."""
    return sorted(package.rglob("*.c"))


def compile_libraries(package: Path, folder: Path, target: str) -> dict[str, Path]:
    """Compile a Lambda's C files into `folder`; returns the libraries as a zip names them.

    Raises BuildError with what the compiler says.
    """
    libraries = {}
    for source in find_sources(package):
        name = f"{package.name}/{source.relative_to(package).with_suffix('.so').as_posix()}"
        compile_library(source, folder / name, target)
        libraries[name] = folder / name
    return libraries


def compile_library(source: Path, library: Path, target: str) -> None:
    """Compile one C file; raises BuildError with what the compiler says.

    The library is replaced at once: a process that has the old one in its memory keeps it.
    """
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent, prefix=".native-") as name:
        folder = Path(name)
        # By default the caches are in the user's home.
        caches = {f"ZIG_{kind}_CACHE_DIR": str(folder / kind) for kind in ("GLOBAL", "LOCAL")}
        # Names without folders, since some formats keep them. In two steps: without the library there are no headers.
        object_file, draft = folder / f"{source.stem}.o", folder / library.name
        for arguments, place in (
            ([*COMPILE, "-c", "-o", str(object_file), source.name], source.parent),
            ([*LINK, "-o", draft.name, object_file.name], folder),
        ):
            command = [*COMPILER, "-target", target, *arguments]
            run(command, f"could not compile {source}", folder=place, variables=caches)
        draft.replace(library)


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Compile a C file of a Lambda into the library that Python loads.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--architecture", choices=sorted(WHEEL_ARCHITECTURES), help="for Lambda")
    where.add_argument("--native", action="store_true", help="for this machine (default)")
    parser.add_argument("--output", type=Path, help="the library (default: beside its source, with the suffix .so)")
    parser.add_argument("source", type=Path, help="the C file")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Compile; returns the exit status."""
    chosen = read_arguments(arguments)
    source = chosen.source.absolute()
    library = (chosen.output or source.with_suffix(".so")).absolute()
    native = chosen.architecture is None
    try:
        compile_library(source, library, choose_target(chosen.architecture or "x86_64", native=native))
    except (BuildError, OSError) as error:
        print(f"build failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
