"""The inputs of a build: its options, the layers and packages of the checkout, and earlier results."""

import hashlib
import json
import platform
import sysconfig
import zlib
from dataclasses import dataclass
from pathlib import Path

from pack import digest
from wheels import BuildError

LAYER_LINE = "-r ../../layers/"


@dataclass(frozen=True)
class Build:
    """The options of a build; `root` is the checkout, `way` is docker, pip or auto."""

    root: Path
    output: Path
    way: str = "auto"
    architecture: str = "x86_64"
    native: bool = False
    base_image: str | None = None

    def layer_zip(self, layer: str) -> Path:
        """Return the path of a layer's zip."""
        return self.output / "layers" / f"{layer}.zip"

    def function_zip(self, package: str) -> Path:
        """Return the path of a Lambda's zip."""
        return self.output / "lambdas" / f"{package}.zip"

    def layer_requirements(self, layer: str) -> Path:
        """Return a layer's list of pinned packages."""
        return self.root / "layers" / layer / "requirements.txt"

    def layer_leave_out(self, layer: str) -> Path:
        """Return a layer's list of files to leave out; not every layer has one."""
        return self.root / "layers" / layer / "leave_out.txt"


def find_layers(root: Path) -> list[str]:
    """Return the names of the folders of layers/ that have a requirements.txt."""
    return sorted(path.parent.name for path in (root / "layers").glob("*/requirements.txt"))


def find_packages(root: Path) -> list[str]:
    """Return the names of the folders of lambdas/ that have an app.py."""
    return sorted(path.parent.name for path in (root / "lambdas").glob("*/app.py"))


def read_layers_of(root: Path, package: str) -> list[str]:
    """Return the layers that a Lambda's requirements.txt names, in its order.

    Raises BuildError for a missing file, an unknown layer, or a line that is not a layer: what a function
    needs from outside comes from a layer, so that its zip holds our own code only.
    """
    requirements = root / "lambdas" / package / "requirements.txt"
    if not requirements.is_file():
        raise BuildError(f"{requirements} is missing: it names the layers that the function needs")
    layers = []
    for number, line in enumerate(requirements.read_text().splitlines(), start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        layer = text.removeprefix(LAYER_LINE).removesuffix("/requirements.txt")
        if text != f"{LAYER_LINE}{layer}/requirements.txt":
            raise BuildError(f"{requirements}, line {number}: expected '{LAYER_LINE}<layer>/requirements.txt'")
        if layer not in find_layers(root):
            raise BuildError(f"{requirements}, line {number}: there is no layer '{layer}'")
        layers.append(layer)
    return layers


def fingerprint(build: Build, layer: str, way: str) -> str:
    """Hash everything that a layer's zip depends on."""
    parts = [way, build.architecture, str(build.base_image), zlib.ZLIB_RUNTIME_VERSION]
    if build.native:
        parts += [platform.python_version(), sysconfig.get_platform()]
    sha = hashlib.sha256("\n".join(parts).encode())
    code = Path(__file__).parent
    sources = [*sorted(code.glob("*.py")), code / "Dockerfile", build.layer_requirements(layer)]
    if build.layer_leave_out(layer).is_file():
        sources.append(build.layer_leave_out(layer))
    for source in sources:
        sha.update(source.read_bytes())
    return sha.hexdigest()


def stamp_of(build: Build, layer: str) -> Path:
    """Return the file that records the input of a layer's zip."""
    return build.output / ".stamps" / f"{layer}.json"


def is_fresh(build: Build, layer: str, way: str) -> bool:
    """Return whether a layer's zip was built from the present input and not changed since."""
    stamp, target = stamp_of(build, layer), build.layer_zip(layer)
    if not (stamp.is_file() and target.is_file()):
        return False
    expected = {"inputs": fingerprint(build, layer, way), "sha256": digest(target)}
    try:
        return bool(json.loads(stamp.read_text()) == expected)
    except ValueError:
        return False


def remember(build: Build, layer: str, way: str) -> None:
    """Record the input of a layer's zip."""
    stamp = stamp_of(build, layer)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(json.dumps({"inputs": fingerprint(build, layer, way), "sha256": digest(build.layer_zip(layer))}))
