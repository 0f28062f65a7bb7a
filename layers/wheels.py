"""Installs a layer's pinned wheels into a folder, by Docker or by pip, and checks that it holds those and no others."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

# Lambda's name of an architecture → the names that wheels and Docker have for it.
WHEEL_ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
DOCKER_PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
# pip takes each tag literally: with one of them alone it would silently choose old releases.
WHEEL_PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
PYTHON_VERSION = "3.13"
# Packages that Lambda's Python runtimes include: boto3 and its dependencies. Source: "Runtime-included SDK
# versions" and the list of packages in https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
RUNTIME_PACKAGES = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"})
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)$")

NETWORK_SIGNS = (
    "Max retries",
    "ConnectionError",
    "NewConnectionError",
    "Connection refused",
    "Network is unreachable",
    "Temporary failure in name resolution",
    "failed to resolve",
    "i/o timeout",
    "timed out",
)


class BuildError(Exception):
    """The build cannot go on; the message says why and what to do."""


def normalise_name(name: str) -> str:
    """Return a distribution's name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(requirements: Path) -> dict[str, str]:
    """Read a layer's requirements file: normalised name → version.

    Raises BuildError for a line that is not an exact pin, since a looser one would not be reproducible.
    """
    pins = {}
    for number, line in enumerate(requirements.read_text().splitlines(), start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = PIN.match(text)
        if not match:
            raise BuildError(f"{requirements}, line {number}: '{text}' is not a pin of the form name==version")
        pins[normalise_name(match[1])] = match[2]
    return pins


def remove_runtime_packages(tree: Path, requirements: Path) -> list[str]:
    """Delete the packages that pip added to `tree` and the Lambda runtime has; returns their names.

    One that the layer pins stays: the layer then asks for that very version, whatever the runtime's is.
    """
    left_out = RUNTIME_PACKAGES - read_pins(requirements).keys()
    installed = {normalise_name(each.name): each.files or () for each in distributions(path=[str(tree)])}
    removed = sorted(left_out & installed.keys())
    for file in (file for name in removed for file in installed[name]):
        # Scripts are recorded outside of the tree, where they would be in an environment.
        if ".." not in file.parts:
            (tree / file).unlink(missing_ok=True)
    # An empty .dist-info folder would still count as a package.
    for folder, _, _ in tree.walk(top_down=False):
        if folder != tree and not any(folder.iterdir()):
            folder.rmdir()
    return removed


def check_pins(tree: Path, requirements: Path) -> None:
    """Compare what was installed with what was pinned; raises BuildError naming each difference."""
    pins = read_pins(requirements)
    found = {normalise_name(each.name): each.version for each in distributions(path=[str(tree)])}
    differences = [f"{name} {found[name]} is needed but not pinned" for name in sorted(found.keys() - pins.keys())]
    differences += [
        f"{name} is pinned to {pins[name]} but {found.get(name, 'none')} was installed"
        for name in sorted(pins)
        if found.get(name) != pins[name]
    ]
    if differences:
        raise BuildError(f"{requirements}: " + "; ".join(differences))


def install_by_pip(requirements: Path, tree: Path, *, architecture: str, native: bool) -> None:
    """Install into `tree` by the pip of this interpreter, for Lambda or (`native`) for this interpreter."""
    target = [] if native else ["--python-version", PYTHON_VERSION, "--implementation", "cp"]
    if not native:
        for platform in WHEEL_PLATFORMS:
            target += ["--platform", f"{platform}_{WHEEL_ARCHITECTURES[architecture]}"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-compile", "--only-binary=:all:", *target, "--target", str(tree), "-r", str(requirements)]
    run(command, f"pip could not install {requirements}")


def find_docker_problem(plugin: str = "buildx") -> str | None:
    """Return why Docker cannot build here, or None if an engine responds and the client has the plugin."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for command, problem in (
        (["docker", "info"], "no Docker engine answers"),
        (["docker", plugin, "version"], f"Docker has no {plugin} plugin"),
    ):
        try:
            done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=False)
        except subprocess.TimeoutExpired:
            return "the Docker engine does not answer in time"
        if done.returncode:
            return problem
    return None


def install_by_docker(
    layers: Path, names: Iterable[str], trees: Path, *, architecture: str, base_image: str | None
) -> None:
    """Install the named layers into `trees`/<name> inside the build image, for Lambda."""
    command = ["docker", "build", "--quiet", "--platform", DOCKER_PLATFORMS[architecture]]
    command += ["--build-arg", "LAYERS=" + " ".join(names)]
    if base_image:
        command += ["--build-arg", f"BASE_IMAGE={base_image}"]
    command += ["--output", f"type=local,dest={trees}", str(layers)]
    run(command, "docker could not build the layers")


def run(
    command: Sequence[str], failure: str, *, folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> None:
    """Run a command that prints only when it fails; raises BuildError with the reason and the end of its output.

    It runs in `folder`, where one is given, with `variables` in its environment.
    """
    environment = {**os.environ, "DOCKER_BUILDKIT": "1", **(variables or {})}
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=folder, env=environment, check=False
    )
    if done.returncode == 0:
        return
    output = f"{done.stdout}\n{done.stderr}"
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("WARNING")]
    raise BuildError("\n    ".join([f"{failure}{explain(output)}", *lines[-8:]]))


def explain(output: str) -> str:
    """Name the usual cause that a tool's output shows, as the end of a sentence."""
    if "No space left on device" in output:
        return ": the disk is full"
    if "No module named pip" in output:
        return ": this Python has no pip (Debian: apt-get install python3-pip, or run it by `make`)"
    if "No module named ziglang" in output:
        return ": this Python has no compiler: `make setup` installs it (the package ziglang)"
    if any(sign in output for sign in NETWORK_SIGNS):
        return ": the network or the package index cannot be reached"
    if "No matching distribution" in output:
        return ": no wheel of a pinned version exists for this platform"
    return ""
