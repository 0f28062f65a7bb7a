"""The zips as pip builds them from the checkout: complete and reproducible."""

import io
import os
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from inputs import find_layers, find_packages, read_layers_of
from tests.integration.tooling.zips import IMPORT_HANDLER, ROOT, build, list_handlers

CONVERT_STATEMENT = """
import xapi_etl.intake.batch, requests, zstandard
from xapi_etl.converting.mapped_columns import Converter
from xapi_etl.reading.lines import index_lines
from xapi_etl.converting.mapping import SHIPPED, load_mapping
from xapi_etl.clickhouse.insert_batch import make_insert_batches
from xapi_etl.schemas import RowChunk, Source
source = Source("s3://bucket/key", "etag")
lines = index_lines(b'{"id":"a","timestamp":"2025-01-01T00:00:00Z"}\\n' * 100)
table = Converter(load_mapping(SHIPPED.read_bytes())).convert(lines, source).table
(part,) = make_insert_batches([RowChunk(source, table, lines.starts)], compression="zstd", max_bytes=2**20)
assert len(part.keep(lines.starts > 0, "snappy")) == 99
"""
XAPI_LAYER_LIMIT = 130_000_000
# Kinds of machines in an ELF header.
X86_64, AARCH64 = 62, 183


@pytest.fixture(scope="session")
def native_zips() -> Path:
    """Zips with wheels for the interpreter of the tests, which imports them here: those of the offline stack."""
    output = ROOT / ".local" / "build"
    build(output, "--pip", "--native")
    return output


@pytest.fixture(scope="session")
def lambda_zips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return build(tmp_path_factory.mktemp("pip"), "--pip")


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has boto3 and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    python = folder / "bin/python"
    pins = [line for line in (ROOT / "requirements-dev.txt").read_text().splitlines() if line.startswith("boto3==")]
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", *pins]
    subprocess.run(pip, check=True, capture_output=True)
    return python


@pytest.mark.parametrize(("package", "module"), list_handlers())
def test_handler_imports_from_zip_and_layers_alone(
    package: str, module: str, native_zips: Path, bare_python: Path, tmp_path: Path
) -> None:
    roots = []
    for name, zips in [(package, "lambdas"), *((layer, "layers") for layer in read_layers_of(ROOT, package))]:
        with zipfile.ZipFile(native_zips / zips / f"{name}.zip") as archive:
            archive.extractall(tmp_path / name)
        roots.append(str(tmp_path / name / "python" if zips == "layers" else tmp_path / name))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(roots), "AWS_DEFAULT_REGION": "us-east-1"}
    command = [str(bare_python), "-W", "error::ImportWarning", "-c", IMPORT_HANDLER, module, *roots]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_start_script_serves_from_zip_and_layers_alone(native_zips: Path, bare_python: Path, tmp_path: Path) -> None:
    # Unpacked by unzip, which keeps modes as Lambda does: the script has to be executable.
    for name in (
        "lambdas/dataset_download",
        *(f"layers/{layer}" for layer in read_layers_of(ROOT, "dataset_download")),
    ):
        subprocess.run(["unzip", "-q", "-o", native_zips / f"{name}.zip", "-d", tmp_path], check=True)
    environment = {
        "PATH": f"{bare_python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{tmp_path}/python",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "AWS_LWA_PORT": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DATASET_BUCKET": "data",
        "EXPORT_BUCKET": "exports",
    }
    script = tmp_path / "dataset_download/run.sh"
    with subprocess.Popen([script], env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = server.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"{address}/healthz", timeout=60) as answer:
            assert answer.read() == b'{"status":"ok"}'
        server.terminate()


def test_stripped_layer_still_converts_statements(native_zips: Path, bare_python: Path, tmp_path: Path) -> None:
    for zips in ("lambdas/xapi_etl", "layers/xapi", "layers/powertools"):
        with zipfile.ZipFile(native_zips / f"{zips}.zip") as archive:
            archive.extractall(tmp_path)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([f"{tmp_path}/python", str(tmp_path)])}
    command = [str(bare_python), "-c", CONVERT_STATEMENT]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_xapi_layer_is_small(lambda_zips: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(lambda_zips["layers/xapi.zip"])) as archive:
        assert sum(entry.file_size for entry in archive.infolist()) <= XAPI_LAYER_LIMIT


def test_function_without_its_layers_does_not_import(native_zips: Path, bare_python: Path, tmp_path: Path) -> None:
    # Shows that the test above would notice a missing layer.
    with zipfile.ZipFile(native_zips / "lambdas/zip_worker.zip") as archive:
        archive.extractall(tmp_path)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    command = [str(bare_python), "-c", IMPORT_HANDLER, "zip_worker.app"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "No module named 'aws_lambda_powertools'" in done.stderr


@pytest.mark.slow
def test_every_layer_and_function_has_a_zip(lambda_zips: dict[str, bytes]) -> None:
    wanted = {f"lambdas/{name}.zip" for name in find_packages(ROOT)}
    assert set(lambda_zips) == wanted | {f"layers/{name}.zip" for name in find_layers(ROOT)}


@pytest.mark.slow
def test_building_again_elsewhere_gives_the_same_bytes(lambda_zips: dict[str, bytes], tmp_path: Path) -> None:
    assert build(tmp_path / "again", "--pip") == lambda_zips


@pytest.mark.slow
def test_layer_leaves_the_sdk_to_the_runtime(lambda_zips: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(lambda_zips["layers/tracer.zip"])) as archive:
        packages = {name.split("/")[1].partition("-")[0] for name in archive.namelist()}
    assert packages == {"aws_xray_sdk", "wrapt"}


@pytest.fixture(scope="session")
def arm_zips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return build(tmp_path_factory.mktemp("arm"), "--pip", "--architecture", "arm64")


@pytest.mark.slow
def test_arm_layers_hold_arm_libraries(arm_zips: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(arm_zips["layers/pydantic.zip"])) as archive:
        libraries = [name for name in archive.namelist() if name.endswith(".so")]
    assert libraries
    assert [name for name in libraries if "cpython-313-aarch64-linux-gnu" not in name] == []


def read_native_files(zips: dict[str, bytes]) -> dict[str, bytes]:
    """Return what C files and their libraries the functions' zips hold."""
    found: dict[str, bytes] = {}
    for content in (zips[name] for name in zips if name.startswith("lambdas/")):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if name.endswith((".c", ".h", ".so"))]
            found |= {name: archive.read(name) for name in names}
    return found


@pytest.mark.slow
def test_functions_hold_a_library_of_their_architecture_for_each_c_file(
    lambda_zips: dict[str, bytes], arm_zips: dict[str, bytes]
) -> None:
    lambdas = ROOT / "lambdas"
    wanted = {source.relative_to(lambdas).with_suffix(".so").as_posix() for source in lambdas.rglob("*.c")}
    for zips, machine in ((lambda_zips, X86_64), (arm_zips, AARCH64)):
        libraries = read_native_files(zips)
        assert libraries.keys() == wanted
        assert {int.from_bytes(library[18:20], "little") for library in libraries.values()} <= {machine}
