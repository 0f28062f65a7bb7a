"""The stack in containers: what the compose file says, and the whole of tests/e2e on a copy of this checkout."""

import json
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wheels import find_docker_problem

ROOT = Path(__file__).parents[3]
COMPOSE_FILE = ROOT / "docker-compose.localstack.yml"
PORTS = 4
CHOICES = (
    *("LOCALSTACK_AUTH_TOKEN", "LOCALSTACK_IMAGE", "CLICKHOUSE_KIND", "CLICKHOUSE_IMAGE", "PYTHON_IMAGE"),
    *("SLUICE_PORT_BASE", "SAMPLE_FILES_PORT", "CLICKHOUSE_PORT", "AUTH", "DOCKER_SOCK"),
)
"""Variables of the compose file that a test sets itself."""
STRANGERS = ("PYTEST_", "COMPOSE_", "MAKE", "MFLAGS")
"""Prefixes of variables that belong to the outer test run."""
pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def engine() -> None:
    if problem := find_docker_problem(plugin="compose"):
        pytest.skip(f"skipped: no Docker ({problem})")


def clear(environment: dict[str, str], **variables: str) -> dict[str, str]:
    """Return an environment without the compose file's variables and the outer run's, and with these."""
    strangers = {name for name in environment if name in CHOICES or name.startswith(STRANGERS)}
    return {name: value for name, value in environment.items() if name not in strangers} | variables


def read_services(**variables: str) -> dict[str, Any]:
    """Return the services as compose understands them with these variables."""
    command = ["docker", "compose", "--file", str(COMPOSE_FILE), "config", "--format", "json"]
    done = subprocess.run(command, env=clear(dict(os.environ), **variables), capture_output=True, text=True, check=True)
    assert "level=warning" not in done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


def list_mounts(service: dict[str, Any]) -> set[str]:
    return {volume["target"] for volume in service["volumes"]}


def test_ministack_and_the_real_clickhouse_are_the_default() -> None:
    services = read_services()
    emulator, clickhouse = services["localstack"], services["clickhouse"]
    assert "image" not in emulator
    assert "ministack" in emulator["build"]["dockerfile_inline"]
    assert list_mounts(emulator) == {"/data"}
    assert clickhouse["image"].startswith("clickhouse/clickhouse-server:")
    assert "build" not in clickhouse
    assert {port["host_ip"] for port in emulator["ports"]} == {"127.0.0.1"}
    assert all("ports" not in services[name] for name in ("sample-files", "clickhouse"))
    assert all("healthcheck" in service for service in services.values())


def test_token_switches_to_a_pinned_licensed_localstack() -> None:
    emulator = read_services(LOCALSTACK_AUTH_TOKEN="ls-any", SLUICE_PORT_BASE="5000", AUTH="true")["localstack"]
    image, _, version = emulator["image"].partition(":")
    assert (image, version[:1].isdigit()) == ("localstack/localstack-pro", True)
    assert "build" not in emulator
    assert "healthcheck" in emulator
    expected = {"LOCALSTACK_AUTH_TOKEN": "ls-any", "GATEWAY_LISTEN": "0.0.0.0:5000", "ENFORCE_IAM": "true"}
    assert expected.items() <= emulator["environment"].items()
    assert list_mounts(emulator) == {"/var/lib/localstack", "/var/run/docker.sock"}


@pytest.mark.parametrize("token", [{}, {"LOCALSTACK_AUTH_TOKEN": "ls-any"}])
def test_named_image_of_localstack_is_taken_with_and_without_a_token(token: dict[str, str]) -> None:
    emulator = read_services(LOCALSTACK_IMAGE="mine/localstack:1", **token)["localstack"]
    assert emulator["image"] == "mine/localstack:1"
    assert "build" not in emulator
    assert emulator["environment"]["LOCALSTACK_AUTH_TOKEN"] == token.get("LOCALSTACK_AUTH_TOKEN", "")


def find_free_ports() -> int:
    """Return a port that is free with those after it, outside of what the system gives away by itself."""
    for port in random.SystemRandom().sample(range(20_000, 30_000, 10), 100):
        if all(is_free(port + offset) for offset in range(PORTS)):
            return port
    pytest.fail(f"no {PORTS} neighbouring ports are free")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def make(folder: Path, *arguments: str) -> None:
    """Run make; what it prints is shown if it fails."""
    done = subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=clear(dict(os.environ)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, f"make {' '.join(arguments)}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of this checkout, with data and state of its own; what is installed and built is shared."""
    folder = tmp_path / "checkout"
    strangers = shutil.ignore_patterns(".git", ".local", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, folder, ignore=strangers, symlinks=True)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    if (ROOT / "build").is_dir():
        unfinished = shutil.ignore_patterns("*.part", ".code-*", ".trees-*")
        shutil.copytree(ROOT / "build", folder / ".local" / "build", ignore=unfinished)
    return folder


@pytest.fixture
def containers(copy: Path) -> Iterator[list[str]]:
    """Give make's arguments for a stack of the test's own; it is removed afterwards."""
    arguments = ["STACK=compose", "CLICKHOUSE_KIND=front", f"SLUICE_PORT_BASE={find_free_ports()}"]
    try:
        yield arguments
    finally:
        make(copy, "down", "KEEP=0", *arguments)


def list_leftovers(project: str) -> list[str]:
    """Return what the engine still has of a project."""
    label = f"label=com.docker.compose.project={project}"
    found = []
    for what in (["ps", "--all"], ["volume", "ls"], ["network", "ls"], ["image", "ls"]):
        done = subprocess.run(
            ["docker", *what, "--quiet", "--filter", label], capture_output=True, text=True, check=True
        )
        found += done.stdout.split()
    return found


def test_whole_of_e2e_passes_in_containers_and_nothing_is_left(copy: Path, containers: list[str]) -> None:
    project = f"sluice-{containers[-1].partition('=')[2]}"
    make(copy, "e2e", *containers)
    assert list_leftovers(project)
    make(copy, "down", "KEEP=0", *containers)
    assert list_leftovers(project) == []
    assert not list((copy / ".local").glob("outputs.*"))
