"""The choice of the source of Terraform's AWS provider, made before anything is installed; see `choose`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Mapping

from prerequisites.cli_configuration import (
    VARIABLES,
    Method,
    UserConfiguration,
    find_user_configuration,
    format_configuration,
    write_whole,
)
from prerequisites.packages import BrokenPackageError, Package, check, fingerprint, has_checksum, is_safe
from prerequisites.requirements import (
    LOCK_FILE,
    PROVIDER,
    Lock,
    Requirement,
    format_version,
    read_locks,
    read_requirement,
    satisfies,
)
from prerequisites.search import Verdict, list_private_folders, list_roots, search
from prerequisites.terraform import Terraform, accepts_configuration

MIRROR_VARIABLE = "TF_PROVIDER_MIRROR"
SEARCH_VARIABLE = "TF_PROVIDER_SEARCH"
"""Folders to search instead of the whole machine, separated as in PATH; empty: none."""
SEARCH_SECONDS = 1.0
REGISTRY_SECONDS = 1.0
_LONGEST_REASON = 2


class ProviderError(Exception):
    """Terraform cannot get its provider; the message, of at most five lines, says what to do."""


@dataclass(frozen=True)
class Choice:
    """Where the provider comes from, and the environment that Terraform needs for it (None: variable unset)."""

    origin: str
    environment: dict[str, str | None]
    package: Package | None = None
    notices: tuple[str, ...] = ()


@dataclass
class Chooser:
    """What the choice depends on, and what is found on the way."""

    terraform: Terraform
    root: Path
    environment: Mapping[str, str]
    home: Path
    requirement: Requirement
    pinned: bool = False

    def __post_init__(self) -> None:
        """Begin with nothing found."""
        self.local = self.root / ".local" / "terraform"
        self.rejected: dict[Path, str] = {}
        self.memory = _read_memory(self.local / "provider.json")

    @property
    def lock(self) -> Lock | None:
        """Return what the lock file says of the provider."""
        return self.requirement.locks.get(self.terraform.address)

    def judge(self, package: Package) -> Verdict:
        """Tell what a package is worth: usable as far as its headers tell, and of the lock file's version or not."""
        if package.path in self.rejected or package.platform != self.terraform.platform:
            return Verdict.UNUSABLE
        wanted = not self.lock or self.lock.version == package.version
        if not satisfies(package.version, self.requirement.provider) or (self.pinned and not wanted):
            return Verdict.UNUSABLE
        try:
            check(package)
        except BrokenPackageError as error:
            self.rejected[package.path] = str(error)
            return Verdict.UNUSABLE
        return Verdict.WANTED if wanted else Verdict.WILL_DO

    def has_known_checksum(self, package: Package) -> bool:
        """Return whether a package is the one of the lock file; of other versions nothing is known.

        The answer is kept for as long as neither changes: reading 700 MB takes a second, inflating them a few.
        """
        if not self.lock or self.lock.version != package.version or not self.lock.checksums:
            return True
        try:
            state = hashlib.sha256(f"{fingerprint(package)} {sorted(self.lock.checksums)}".encode()).hexdigest()
            known = self.memory["checked"].get(str(package.path))
            if not known or known[0] != state:
                known = [state, has_checksum(package, self.lock.checksums)]
                self.memory["checked"][str(package.path)] = known
                self.remember()
        except (OSError, zipfile.BadZipFile, zlib.error) as error:
            self.rejected[package.path] = f"cannot be read ({error})"
            return False
        if not known[1]:
            self.rejected[package.path] = "differs from its checksum in infra/.terraform.lock.hcl"
        return bool(known[1])

    def find_below(self, folders: Iterable[Path], *, anywhere: bool = False) -> Package | None:
        """Return a usable package below some folders; the version of the lock file where there is one.

        `anywhere`: nobody has named the folders, so what has no known checksum must not be another user's to change.
        """
        roots = [folder for folder in folders if folder.is_dir()]
        # What Terraform installs for this checkout is not a source for its installation.
        left_out = [self.local / "data", self.local / "mirrors", *list_private_folders(self.home)]
        while True:
            found = search(roots, left_out, self.judge, SEARCH_SECONDS) if roots else None
            if not found or (self.has_known_checksum(found) and (not anywhere or self.is_trusted(found))):
                return found

    def is_trusted(self, package: Package) -> bool:
        """Return whether a package is the lock file's, or else belongs to this user or the system."""
        if self.lock and self.lock.version == package.version and self.lock.checksums:
            return True
        with suppress(OSError):
            if is_safe(package):
                return True
        self.rejected[package.path] = "has no known checksum and is another user's to change"
        return False

    def remember(self) -> None:
        """Remember the result for the next run; if the folder is not writable, the next run is only slower."""
        with suppress(OSError):
            write_whole(self.local / "provider.json", json.dumps(self.memory, indent=1))

    def use(self, origin: str, package: Package | None, user: UserConfiguration) -> Choice:
        """Write the configuration that gets the provider from a package, or from the registry."""
        mirror = self.link(package) if package else None
        kept = "\n".join(path.read_text(encoding="utf-8") for path in user.files) if user.methods == () else ""
        path = self.local / "cli.tfrc"
        write_whole(path, format_configuration(kept, self.terraform.address, mirror))
        environment: dict[str, str | None] = {VARIABLES[0]: str(path)}
        if (not package or package.is_packed) and not self.environment.get("TF_PLUGIN_CACHE_DIR"):
            # Fetched, or unpacked, once for all that is done in this checkout.
            cache = self.local / "plugins"
            cache.mkdir(parents=True, exist_ok=True)
            environment["TF_PLUGIN_CACHE_DIR"] = str(cache)
        return Choice(origin, environment, package, user.notices)

    def link(self, package: Package) -> Path:
        """Make a mirror that holds one package only; return its folder.

        Its name is that of what it leads to: nobody who works with one sees it change.
        """
        target = package.path.resolve()
        name = hashlib.sha256(f"{self.terraform.address} {target}".encode()).hexdigest()[:12]
        mirror = self.local / "mirrors" / name
        place = mirror / self.terraform.address
        within = [target.name] if package.is_packed else [format_version(package.version), package.platform]
        link = place.joinpath(*within)
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            draft = link.with_name(f".{os.getpid()}")
            draft.symlink_to(target)
            draft.replace(link)
        return mirror


def choose(
    terraform: Terraform,
    root: Path,
    environment: Mapping[str, str],
    home: Path | None = None,
    *,
    pinned: bool = False,
) -> Choice:
    """Return where the provider comes from, writing the CLI configuration for it.

    The first that works is taken: the user's own CLI configuration, where it says anything of it; TF_PROVIDER_MIRROR;
    Terraform's implied mirrors; a copy elsewhere on this machine, which is remembered; the registry. `pinned`: only
    the lock file's version will do. Raises ProviderError where none works.
    """
    home = home or Path.home()
    chooser = Chooser(terraform, root, environment, home, read_requirement(root / "infra"), pinned)
    user = find_user_configuration(environment, home, tofu=terraform.tofu)
    own, complaint = _use_own(chooser, user)
    if own:
        return own
    if complaint:
        user = UserConfiguration(user.files, user.methods, (*user.notices, complaint))
    if environment.get(MIRROR_VARIABLE):
        return _use_named_mirror(chooser, user)
    for folder in _list_implied_mirrors(root, environment, home):
        package = chooser.find_below([folder])
        if package:
            return chooser.use(f"Terraform's own folder {folder}", package, user)
    with _ask_registry(f"https://{terraform.registry}/.well-known/terraform.json", environment) as registry:
        package = _recall(chooser) or chooser.find_below(_list_searched(chooser), anywhere=True)
        if package:
            chooser.memory["found"] = str(package.path)
            chooser.remember()
            registry.kill()
            return chooser.use(f"{package.path}, found on this machine", package, user)
        if _answers(registry):
            return chooser.use(terraform.registry, None, user)
    raise ProviderError(_explain(chooser))


def _use_own(chooser: Chooser, user: UserConfiguration) -> tuple[Choice | None, str | None]:
    """Return the choice of the user's own configuration, or why it cannot be followed; neither where it is silent."""
    if not user.files or user.methods == ():
        return None, None
    origin = f"the CLI configuration {', '.join(map(str, user.files))}"
    # A variable that names a missing file is not passed on.
    unset: dict[str, str | None] = {
        name: None
        for name in VARIABLES
        if name in chooser.environment and not Path(chooser.environment[name]).is_file()
    }
    if user.methods is None:
        if accepts_configuration(chooser.terraform, {**chooser.environment, **dict.fromkeys(unset, "")}):
            return Choice(origin, unset, None, user.notices), None
        return None, f"{origin} is none that {chooser.terraform.name} can read: it is passed over"
    for method in user.methods:
        works, package = _try_method(chooser, method)
        if works:
            return Choice(origin, unset, package, user.notices), None
    return None, f"{origin} leads to no usable provider: it is passed over"


def _try_method(chooser: Chooser, method: Method) -> tuple[bool, Package | None]:
    """Return whether a method gets the provider, and which package where it is one on this machine."""
    address = chooser.terraform.address
    if method.kind == "dev_overrides":
        return bool({PROVIDER, address} & set(method.settings)), None
    if method.kind not in {"filesystem_mirror", "network_mirror", "direct"} or not method.covers(address):
        return False, None
    if method.kind == "filesystem_mirror":
        package = chooser.find_below([Path(str(method.settings.get("path", ""))).expanduser() / address])
        return package is not None, package
    url = f"https://{chooser.terraform.registry}/.well-known/terraform.json"
    if method.kind == "network_mirror":
        url = f"{str(method.settings.get('url', '')).rstrip('/')}/{address}/index.json"
    with _ask_registry(url, chooser.environment) as asked:
        return _answers(asked), None


def _use_named_mirror(chooser: Chooser, user: UserConfiguration) -> Choice:
    name = chooser.environment[MIRROR_VARIABLE]
    folder = (chooser.root / Path(name).expanduser()).absolute()
    package = chooser.find_below([folder])
    if package:
        return chooser.use(f"{MIRROR_VARIABLE}={name}", package, user)
    reason = "is not a folder" if not folder.is_dir() else f"holds no usable {_describe(chooser)}"
    lines = [f"{MIRROR_VARIABLE}: {folder} {reason}.", *_list_rejected(chooser), *_list_what_to_do(chooser)]
    raise ProviderError("\n".join(lines))


def _list_implied_mirrors(root: Path, environment: Mapping[str, str], home: Path) -> list[Path]:
    """Return the folders that Terraform or OpenTofu searches by itself."""
    data_home = environment.get("XDG_DATA_HOME") or str(home / ".local/share")
    data_dirs = (environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(os.pathsep)
    shared = [Path(base) / name / "plugins" for base in (data_home, *data_dirs) for name in ("terraform", "opentofu")]
    library = Path("Library/Application Support/io.terraform/plugins")
    return [
        root / "infra/terraform.d/plugins",
        home / ".terraform.d/plugins",
        home / library,
        Path("/") / library,
        *shared,
    ]


def _list_searched(chooser: Chooser) -> list[Path]:
    folders = chooser.environment.get(SEARCH_VARIABLE)
    if folders is not None:
        return [Path(folder) for folder in folders.split(os.pathsep) if folder]
    caches = [chooser.environment.get("TF_PLUGIN_CACHE_DIR"), str(chooser.local / "plugins")]
    return [*(Path(cache) for cache in caches if cache), *list_roots(chooser.home, chooser.root)]


def _recall(chooser: Chooser) -> Package | None:
    """Return what an earlier search found, if it is still there and still usable."""
    path = chooser.memory["found"]
    if not path or SEARCH_VARIABLE in chooser.environment:
        return None
    folder = Path(path).parent if path.endswith(".zip") else Path(path)
    return chooser.find_below([folder], anywhere=True)


def _read_memory(path: Path) -> dict[str, Any]:
    memory: dict[str, Any] = {"found": "", "checked": {}}
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(read["found"], str) and isinstance(read["checked"], dict):
            memory = read
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return memory


def _ask_registry(url: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Ask a server in the background.

    By curl, which goes by the same proxy variables as Terraform and ends in time even where no name server answers.
    """
    curl = shutil.which("curl", path=environment.get("PATH")) or "false"
    options = ["-sS", "--insecure", "--location", "--max-time", str(REGISTRY_SECONDS), "-o", os.devnull]
    command = [curl, *options, "-w", "%{http_code}", "--", url]
    return subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _answers(asked: subprocess.Popen[bytes]) -> bool:
    answer, _ = asked.communicate()
    return asked.returncode == 0 and answer.strip() == b"200"


def _describe(chooser: Chooser) -> str:
    return f"{PROVIDER} {chooser.requirement.provider} for {chooser.terraform.platform}"


def _list_rejected(chooser: Chooser) -> list[str]:
    rejected = [f"{path} {reason}" for path, reason in chooser.rejected.items()]
    return [f"Not usable: {'; '.join(rejected[:_LONGEST_REASON])}."] if rejected else []


def _list_what_to_do(chooser: Chooser) -> list[str]:
    program = "tofu" if chooser.terraform.tofu else "terraform"
    platform = chooser.terraform.platform
    return [
        "On a machine with Internet access, in a copy of this checkout, run",
        f"  {program} -chdir=infra providers mirror -platform={platform} /tmp/terraform-mirror",
        f"then bring that folder here and run make with {MIRROR_VARIABLE}=/path/to/terraform-mirror.",
    ]


def _explain(chooser: Chooser) -> str:
    return "\n".join(
        [
            (
                f"{chooser.terraform.name} cannot get {_describe(chooser)}: "
                f"no usable copy is on this machine, and {chooser.terraform.registry} does not answer."
            ),
            *_list_rejected(chooser),
            *_list_what_to_do(chooser),
        ]
    )


def release_lock(folder: Path, choice: Choice, terraform: Terraform) -> None:
    """Delete the lock file of a copy of infra/ where it pins another version than the one that was found."""
    lock = read_locks(folder / LOCK_FILE).get(terraform.address)
    if lock and choice.package and choice.package.version != lock.version:
        (folder / LOCK_FILE).unlink()
