"""The libraries in C compiled with AddressSanitizer and UndefinedBehaviorSanitizer, and processes that use them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = {path.stem: path for path in sorted(ROOT.glob("lambdas/**/*.c"))}
FLAGS = ["-std=c11", "-O1", "-g", "-fPIC", "-shared", "-fno-omit-frame-pointer", "-Wall", "-Wextra"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FOLDER = "SANITIZED_LIBRARIES"
"""The variable that names the folder of the compiled libraries."""


def find_compiler() -> str | None:
    """Return a gcc that has the sanitizers' run-time library; ``None`` where there is none."""
    compiler = shutil.which("gcc")
    if compiler is None or not Path(find_runtime(compiler)).is_absolute():
        return None
    return compiler


def find_runtime(compiler: str) -> str:
    """Return where the compiler has AddressSanitizer's library: its bare name if it has none."""
    command = [compiler, "-print-file-name=libasan.so"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def compile_libraries(compiler: str, folder: Path) -> None:
    """Compile all libraries into a folder."""
    for name, source in SOURCES.items():
        command = [compiler, *FLAGS, *SANITIZERS, str(source), "-o", str(folder / f"{name}.so")]
        subprocess.run(command, check=True)


def start_sanitized(compiler: str, folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    """Start a Python that loads AddressSanitizer first, as a library compiled with it needs."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", str(folder)),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'lambdas'}",
        "LD_PRELOAD": find_runtime(compiler),
        # Python and Arrow keep memory until their end, and have allocators of their own.
        "ASAN_OPTIONS": "detect_leaks=0:alloc_dealloc_mismatch=0:detect_odr_violation=0:handle_segv=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # malloc, around whose blocks AddressSanitizer watches
        "PYTHONMALLOC": "malloc",  # so that bytes are watched, too
        FOLDER: str(folder),
    }
    command = [sys.executable, *arguments]
    return subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
