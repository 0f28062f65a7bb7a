"""Builds the zips of every layer and every Lambda: `python layers/build.py --help`.

Reads layers/<layer>/requirements.txt (and leave_out.txt) and lambdas/<package>/, writes <output>/layers/<layer>.zip and
<output>/lambdas/<package>.zip. Needs only the standard library and pip or a Docker engine, and the pinned compiler
(requirements-scripts.txt) for the C file of a Lambda.
"""

import argparse
import fcntl
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compiled import compile_files, is_for_lambda
from inputs import Build, find_layers, find_packages, is_fresh, read_layers_of, remember
from native import choose_target, compile_libraries
from pack import collect_function, collect_layer, measure_unzipped, write_zip
from slim import cut_symbols, leave_out, read_patterns
from wheels import (
    WHEEL_ARCHITECTURES,
    BuildError,
    check_pins,
    find_docker_problem,
    install_by_docker,
    install_by_pip,
    remove_runtime_packages,
)

MEGABYTE = 1024 * 1024
# AWS Lambda quota "deployment package (unzipped), including layers".
UNZIPPED_LIMIT = 250 * MEGABYTE
CODE = ".code"
TREES = ".trees-"


@contextmanager
def occupy(output: Path) -> Iterator[None]:
    """Lock the output folder against other builds, and delete what a killed build left in it."""
    output.mkdir(parents=True, exist_ok=True)
    with (output / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in [*output.glob(f"{TREES}*"), *output.glob(f"{CODE}-*")]:
            shutil.rmtree(left)
        yield


def build_layers(build: Build, way: str) -> dict[str, str]:
    """Build the layers whose input changed, by docker or pip; return the action for each layer."""
    outcome = dict.fromkeys(find_layers(build.root), "unchanged")
    stale = [layer for layer in outcome if not is_fresh(build, layer, way)]
    if not stale:
        return outcome
    build.output.mkdir(parents=True, exist_ok=True)
    # Next to the output, not in the system's temporary folder, which is often small.
    with tempfile.TemporaryDirectory(dir=build.output, prefix=TREES) as folder:
        trees = Path(folder)
        if way == "docker":
            install_by_docker(
                build.root / "layers", stale, trees, architecture=build.architecture, base_image=build.base_image
            )
        for layer in stale:
            requirements = build.layer_requirements(layer)
            if way == "pip":
                install_by_pip(requirements, trees / layer, architecture=build.architecture, native=build.native)
            remove_runtime_packages(trees / layer, requirements)
            check_pins(trees / layer, requirements)
            leave_out(trees / layer, read_patterns(build.layer_leave_out(layer)))
            cut_symbols(trees / layer)
            files = collect_layer(trees / layer)
            changed = write_zip(build.layer_zip(layer), compile_files(files, trees / layer / CODE))
            outcome[layer] = "built" if changed else "rebuilt, same bytes"
            remember(build, layer, way)
    return outcome


def build_functions(build: Build) -> dict[str, str]:
    """Zip every Lambda's package with its compiled C files; return the action for each package."""
    outcome = {}
    target = choose_target(build.architecture, native=build.native)
    build.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build.output, prefix=f"{CODE}-") as folder:
        for package in find_packages(build.root):
            source = build.root / "lambdas" / package
            files = collect_function(source) | compile_libraries(source, Path(folder), target)
            changed = write_zip(build.function_zip(package), compile_files(files, Path(folder)))
            outcome[package] = "built" if changed else "unchanged"
    return outcome


def remove_strangers(build: Build, layers: list[str], packages: list[str]) -> None:
    """Delete zips of removed layers and functions, so that none is deployed by mistake."""
    wanted = {build.layer_zip(each) for each in layers} | {build.function_zip(each) for each in packages}
    for path in [*build.output.glob("layers/*.zip"), *build.output.glob("lambdas/*.zip")]:
        if path not in wanted:
            path.unlink()


def check_sizes(sizes: dict[str, int]) -> None:
    """Raise BuildError when a function with its layers (package → unzipped bytes) is over Lambda's limit."""
    over = [
        f"{package} and its layers take {size / MEGABYTE:.1f} MB unzipped"
        for package, size in sorted(sizes.items())
        if size > UNZIPPED_LIMIT
    ]
    if over:
        raise BuildError("; ".join(over) + f": Lambda allows {UNZIPPED_LIMIT // MEGABYTE} MB")


def report(name: str, zip_file: Path, outcome: str) -> None:
    """Print one line about a zip."""
    packed, unpacked = zip_file.stat().st_size / MEGABYTE, measure_unzipped(zip_file) / MEGABYTE
    print(f"  {name:<22} {packed:8.2f} MB {unpacked:9.2f} MB unzipped  {outcome}")


def choose_way(build: Build) -> str:
    """Return docker or pip; raises BuildError if Docker was requested and is not available."""
    if build.native or build.way == "pip":
        return "pip"
    problem = find_docker_problem()
    if problem and build.way == "docker":
        raise BuildError(f"{problem}; build without Docker by `make build BUILD=pip`")
    return "pip" if problem else "docker"


def make_layers(build: Build) -> None:
    """Build the layers and print a line for each.

    Left to choose, a Docker engine that cannot build (no base image, no network of its own) is not the end:
    pip gives the same bytes.
    """
    way = choose_way(build)
    try:
        outcome = build_layers(build, way)
    except BuildError as error:
        if way == "pip" or build.way != "auto":
            raise
        print(f"{error}\n  going on by pip", file=sys.stderr)
        way = "pip"
        outcome = build_layers(build, way)
    print(f"layers ({way}, {'native' if build.native else build.architecture})")
    for layer, done in outcome.items():
        report(layer, build.layer_zip(layer), done)


def make_functions(build: Build) -> None:
    """Zip the functions, print a line for each, then check and print each one's size with its layers."""
    layers = {package: read_layers_of(build.root, package) for package in find_packages(build.root)}
    outcome = build_functions(build)
    remove_strangers(build, find_layers(build.root), list(layers))
    print("functions")
    for package, done in outcome.items():
        report(package, build.function_zip(package), done)
    print(f"function + layers, unzipped (limit {UNZIPPED_LIMIT // MEGABYTE} MB)")
    sizes = {}
    for package, needed in layers.items():
        zips = [build.function_zip(package), *(build.layer_zip(layer) for layer in needed)]
        sizes[package] = sum(measure_unzipped(path) for path in zips)
        print(f"  {package:<22} {sizes[package] / MEGABYTE:8.2f} MB  with {', '.join(needed) or 'no layer'}")
    write_sizes(build, layers, sizes)
    check_sizes(sizes)


def write_sizes(build: Build, layers: dict[str, list[str]], sums: dict[str, int]) -> None:
    """Write the sizes as sizes.json, in bytes, for the bench."""
    zips = {layer: build.layer_zip(layer) for layer in find_layers(build.root)}
    zips |= {package: build.function_zip(package) for package in layers}
    found = {
        "zips": {
            name: {"packed": path.stat().st_size, "unpacked": measure_unzipped(path)} for name, path in zips.items()
        },
        "functions": {package: {"layers": layers[package], "unpacked": size} for package, size in sums.items()},
    }
    (build.output / "sizes.json").write_text(json.dumps(found, indent=1) + "\n")


def read_arguments(arguments: list[str] | None = None) -> tuple[Build, bool]:
    """Parse the command line into a build and whether it stops after the layers."""
    parser = argparse.ArgumentParser(description="Build the zips of the layers and the Lambdas.")
    way = parser.add_mutually_exclusive_group()
    for name, meaning in (
        ("auto", "Docker where an engine answers, else pip (default)"),
        ("docker", "Docker only"),
        ("pip", "pip only"),
    ):
        way.add_argument(f"--{name}", dest="way", action="store_const", const=name, default="auto", help=meaning)
    parser.add_argument("--architecture", choices=sorted(WHEEL_ARCHITECTURES), default="x86_64")
    parser.add_argument("--native", action="store_true", help="wheels for this interpreter (offline stack), by pip")
    parser.add_argument("--output", type=Path, help="folder for the zips (default: build)")
    parser.add_argument("--base-image", help="image that Docker builds in (default: the AWS SAM build image)")
    parser.add_argument("--layers-only", action="store_true", help="leave the functions")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.native and chosen.way == "docker":
        parser.error("--native builds for this machine's interpreter, which --docker cannot")
    root = chosen.root.resolve()
    output = (chosen.output or root / "build").resolve()
    build = Build(root, output, chosen.way, chosen.architecture, chosen.native, chosen.base_image)
    return build, chosen.layers_only


def main(arguments: list[str] | None = None) -> int:
    """Build; returns the exit status."""
    build, layers_only = read_arguments(arguments)
    try:
        if not is_for_lambda() and not build.native:
            print("not built by Python 3.13: Lambda will compile at each cold start", file=sys.stderr)
        with occupy(build.output):
            make_layers(build)
            if not layers_only:
                make_functions(build)
    except BuildError as error:
        print(f"build failed: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"build failed: {os.strerror(error.errno or 0)}{where}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
