"""The libraries in C under AddressSanitizer and UndefinedBehaviorSanitizer: their unit tests, and millions of cases."""

import re
from pathlib import Path

import pytest

from tests.fuzz.sanitizers import compile_libraries, find_compiler, start_sanitized

SEED = 20261126
MILLIONS = 10_000_000
FOOTERS = 300_000
UNIT_TESTS = [
    "tests/unit/xapi_etl/converting/test_scanner.py",
    "tests/unit/dataset_download/formats/test_row_joining.py",
    "tests/unit/dataset_download/parquet/test_page_bounds.py",
]
COMPILER = find_compiler()

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no gcc with AddressSanitizer")


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sanitized")
    assert COMPILER
    compile_libraries(COMPILER, folder)
    return folder


def fuzz(libraries: Path, cases: int, *names: str) -> dict[str, int]:
    """Run two fuzzers side by side; return how many cases each had."""
    assert COMPILER
    arguments = [["-m", "tests.fuzz.fuzz_libraries", name, str(cases), "0", str(SEED)] for name in names]
    running = [start_sanitized(COMPILER, libraries, one) for one in arguments]
    found = {}
    for process in running:
        output = process.communicate()[0]
        print(output)
        assert process.returncode == 0, output[-3000:]
        match = re.search(r"(\w+): (\d+) cases", output)
        assert match, output
        found[match[1]] = int(match[2])
    return found


def test_a_few_cases_are_read_and_joined_as_python_does_it(libraries: Path) -> None:
    assert min(fuzz(libraries, 20_000, "scan", "join").values()) >= 20_000


def test_a_few_footers_and_pages_are_read_within_their_bytes(libraries: Path) -> None:
    assert min(fuzz(libraries, 5_000, "footer", "page").values()) >= 5_000


@pytest.mark.slow
def test_many_footers_and_pages_are_read_within_their_bytes(libraries: Path) -> None:
    found = fuzz(libraries, FOOTERS, "footer", "page")
    assert found.keys() == {"footer", "page"}
    assert min(found.values()) >= FOOTERS


@pytest.mark.slow
def test_millions_of_cases_are_read_and_joined_as_python_does_it(libraries: Path) -> None:
    found = fuzz(libraries, MILLIONS, "scan", "join")
    assert found.keys() == {"scan", "join"}
    assert min(found.values()) >= MILLIONS


@pytest.mark.slow
def test_unit_tests_pass_under_the_sanitizers(libraries: Path) -> None:
    assert COMPILER
    plugin = ["-m", "pytest", "-q", "-p", "tests.fuzz.sanitized", "-p", "no:cacheprovider", *UNIT_TESTS]
    process = start_sanitized(COMPILER, libraries, plugin)
    output = process.communicate()[0]
    assert process.returncode == 0, output[-3000:]
    assert re.search(r"\d+ passed", output)


def test_sanitizer_finds_a_byte_too_much(libraries: Path, tmp_path: Path) -> None:
    """The harness can fail: a line that does not end where it is said to end is read beyond its buffer."""
    program = tmp_path / "read_too_far.py"
    program.write_text(
        "import tests.fuzz.sanitized, numpy as np\n"
        "from xapi_etl.reading.lines import Lines\n"
        "from xapi_etl.converting.mapping import Leaf\n"
        "from xapi_etl.converting.scanner import Scanner\n"
        "data = b'{\"id\":1,\"x\":' + b' ' * 4000\n"
        "Scanner([Leaf(('id',), 'text')]).scan(Lines(data, np.array([0]), np.array([len(data) + 64]), 1))\n"
    )
    assert COMPILER
    process = start_sanitized(COMPILER, libraries, [str(program)])
    output = process.communicate()[0]
    assert process.returncode != 0
    assert "AddressSanitizer" in output
