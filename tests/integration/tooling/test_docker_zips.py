"""The zips that Docker builds: the same bytes as pip's, and whole in Lambda's Python with nothing else around."""

import json
import platform
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from inputs import find_layers, find_packages, read_layers_of
from tests.integration.tooling.zips import IMPORT_HANDLER, ROOT, build, list_handlers
from wheels import RUNTIME_PACKAGES, find_docker_problem

IMAGE = "python:3.13-slim"
# What this machine runs without emulating another.
ARCHITECTURE = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
# Runs in a container that has the zips and what Lambda's runtime has; each handler sees what it gets in Lambda.
IMPORT_ALL = """
import json, os, pathlib, subprocess, sys, zipfile
code, handlers = json.loads(sys.argv[1])
for archive in pathlib.Path("/zips").glob("l*/*.zip"):
    zipfile.ZipFile(archive).extractall(f"/tmp/{archive.parent.name}/{archive.stem}")
failed = []
for package, module, layers in handlers:
    roots = [f"/tmp/lambdas/{package}", *(f"/tmp/layers/{layer}/python" for layer in layers)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join([*roots, "/runtime"]),
                   "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-W", "error::ImportWarning", "-c", code, module, *roots]
    failed += [module] if subprocess.run(command, env=environment).returncode else []
    print(module)
sys.exit(f"do not import: {failed}" if failed else 0)
"""
type Zips = dict[str, bytes]
pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if problem := find_docker_problem():
        pytest.skip(f"skipped: no Docker ({problem})")
    return tmp_path_factory.mktemp("docker-zips")


@pytest.fixture(scope="module")
def zips(outputs: Path) -> dict[str, Zips]:
    """The zips by way and architecture, all built at the same time."""
    with ThreadPoolExecutor() as pool:
        started: dict[str, Future[Zips]] = {
            f"{way} {architecture}": pool.submit(
                build, outputs / f"{way} {architecture}", f"--{way}", "--architecture", architecture
            )
            for way, architecture in (("docker", "x86_64"), ("docker", "arm64"), ("pip", "arm64"))
        }
        # `make build` has made these, as a rule.
        started["pip x86_64"] = pool.submit(build, ROOT / "build", "--pip", "--architecture", "x86_64")
    return {name: future.result() for name, future in started.items()}


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_docker_and_pip_give_the_same_bytes(architecture: str, zips: dict[str, Zips]) -> None:
    by_docker, by_pip = zips[f"docker {architecture}"], zips[f"pip {architecture}"]
    wanted = {f"lambdas/{name}.zip" for name in find_packages(ROOT)}
    assert by_docker.keys() == wanted | {f"layers/{name}.zip" for name in find_layers(ROOT)}
    assert [name for name, content in by_docker.items() if content != by_pip.get(name)] == []


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what Lambda's Python has besides its standard library."""
    folder = tmp_path_factory.mktemp("runtime")
    lines = (ROOT / "requirements-ministack.txt").read_text().splitlines()
    pins = [line for line in lines if line.partition("==")[0] in RUNTIME_PACKAGES]
    assert len(pins) == len(RUNTIME_PACKAGES)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "--no-deps"]
    subprocess.run([*pip, "--target", str(folder), *pins], check=True, capture_output=True)
    return folder


@pytest.mark.usefixtures("zips")
def test_every_handler_imports_in_a_container_from_zip_and_layers_alone(outputs: Path, runtime: Path) -> None:
    handlers = [(package, module, read_layers_of(ROOT, package)) for package, module in list_handlers()]
    mounts = [f"--volume={outputs / f'docker {ARCHITECTURE}'}:/zips:ro", f"--volume={runtime}:/runtime:ro"]
    command = ["docker", "run", "--rm", "--network=none", *mounts, IMAGE]
    done = subprocess.run(
        [*command, "python3", "-c", IMPORT_ALL, json.dumps([IMPORT_HANDLER, handlers])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [module for _, module in list_handlers()]
