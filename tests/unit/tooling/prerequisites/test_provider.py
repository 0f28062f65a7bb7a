"""The choice of where Terraform gets its provider."""

import base64
import hashlib
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from prerequisites import provider as choosing
from prerequisites import search as searching
from prerequisites.cli_configuration import read_methods
from prerequisites.provider import Choice, ProviderError, choose, release_lock
from prerequisites.terraform import Terraform
from tests.unit.tooling.prerequisites.provider_packages import ADDRESS, make_packed, make_program, make_unpacked

TERRAFORM = Terraform("/bin/terraform", (1, 11, 4), "linux_amd64", tofu=False)
TOFU = Terraform("/bin/tofu", (1, 10, 2), "linux_amd64", tofu=True)
LOCK = 'provider "registry.terraform.io/hashicorp/aws" {{\n  version = "5.100.0"\n  hashes = ["{checksum}"]\n}}\n'
VERSIONS = (
    'terraform {\n  required_providers {\n    aws = {\n      source = "hashicorp/aws"\n      version = "~> 5.100"\n'
)


class Machine:
    """A checkout, a home and a disk in a temporary folder, and a registry that answers or not."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home, self.disk = folder / "checkout", folder / "home", folder / "disk"
        for path in (self.root / "infra", self.home, self.disk, folder / "bin"):
            path.mkdir(parents=True)
        (self.root / "infra/versions.tf").write_text(f"{VERSIONS}    }}\n  }}\n}}\n")
        self.asked = folder / "asked"
        self.curl = folder / "bin/curl"
        self.environment = {"PATH": f"{folder}/bin:/usr/bin:/bin", "TF_PROVIDER_SEARCH": str(self.disk)}
        self.answer(reachable=False)

    def answer(self, *, reachable: bool) -> None:
        """Let the registry answer, or be out of reach."""
        status = "printf 200" if reachable else "printf 000; exit 6"
        self.curl.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{self.asked}\n{status}\n')
        self.curl.chmod(0o755)

    def choose(self, terraform: Terraform = TERRAFORM, *, pinned: bool = False, **more: str) -> Choice:
        """Choose as on this machine, with more variables."""
        return choose(terraform, self.root, {**self.environment, **more}, self.home, pinned=pinned)

    def fail(self, **more: str) -> list[str]:
        """Choose in vain; returns the lines of what is said."""
        with pytest.raises(ProviderError) as caught:
            self.choose(TERRAFORM, pinned=False, **more)
        lines = str(caught.value).splitlines()
        assert len(lines) <= 5
        return lines


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(
        choosing, "_list_implied_mirrors", lambda root, _environment, home: [home / ".terraform.d/plugins"]
    )
    return made


def find_target(choice: Choice, address: str = ADDRESS) -> Path:
    """Follow a choice's configuration to the package, as Terraform does."""
    name = choice.environment["TF_CLI_CONFIG_FILE"]
    assert name
    (mirror, direct) = read_methods(Path(name).read_text())
    assert mirror.settings["include"] == direct.settings["exclude"] == [address]
    (entry,) = (Path(mirror.settings["path"]) / address).iterdir()
    return (entry if entry.suffix == ".zip" else entry / "linux_amd64").resolve()


def test_first_of_all_that_work_is_taken(machine: Machine) -> None:
    own, named, implied = (
        machine.disk.parent / "own",
        machine.disk.parent / "named",
        machine.home / ".terraform.d/plugins",
    )
    for mirror in (own, named, implied, machine.disk / "elsewhere"):
        make_unpacked(mirror)
    configuration = machine.home / ".terraformrc"
    configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{own}"\n  }}\n}}\n')
    machine.answer(reachable=True)
    choice = machine.choose(TF_PROVIDER_MIRROR=str(named))
    assert (choice.origin, choice.environment) == (f"the CLI configuration {configuration}", {})
    configuration.unlink()
    assert find_target(machine.choose(TF_PROVIDER_MIRROR=str(named))).is_relative_to(named)
    assert find_target(machine.choose()).is_relative_to(implied)
    implied.rename(machine.disk.parent / "gone-1")
    assert find_target(machine.choose()).is_relative_to(machine.disk)
    (machine.disk / "elsewhere").rename(machine.disk.parent / "gone-2")
    assert machine.choose().origin == "registry.terraform.io"


def test_missing_configuration_is_no_obstacle_and_is_told(machine: Machine) -> None:
    make_unpacked(machine.disk / "opt/tf-plugins")
    choice = machine.choose(TF_CLI_CONFIG_FILE="/nonexistent")
    assert find_target(choice).is_relative_to(machine.disk)
    assert choice.notices == ("TF_CLI_CONFIG_FILE names /nonexistent, which does not exist: it is ignored",)


def test_configuration_that_says_nothing_of_providers_is_kept_and_added_to(machine: Machine) -> None:
    kept = 'credentials "app.terraform.io" {\n  token = "secret"\n}\n'
    (machine.home / ".terraformrc").write_text(kept)
    make_unpacked(machine.disk)
    choice = machine.choose()
    assert find_target(choice).is_relative_to(machine.disk)
    written = Path(choice.environment["TF_CLI_CONFIG_FILE"] or "")
    assert kept in written.read_text()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "methods",
    [
        'filesystem_mirror { path = "/nonexistent" }',
        "direct {}",
        'network_mirror { url = "https://mirror.example.com/" }',
        'direct { exclude = ["hashicorp/*"] }',
        'filesystem_miror { path = "/" }',
    ],
)
def test_configuration_that_leads_nowhere_is_passed_over_with_a_notice(machine: Machine, methods: str) -> None:
    (machine.home / ".terraformrc").write_text(f"provider_installation {{\n  {methods}\n}}\n")
    make_unpacked(machine.disk)
    choice = machine.choose()
    assert find_target(choice).is_relative_to(machine.disk)
    assert [notice.endswith("leads to no usable provider: it is passed over") for notice in choice.notices] == [True]


@pytest.mark.parametrize("complaint", ["", "Error: Error parsing"])
def test_configuration_that_is_not_understood_is_left_to_terraform_unless_that_cannot_read_it(
    machine: Machine, complaint: str
) -> None:
    program = machine.curl.with_name("terraform")
    program.write_text(f"#!/bin/sh\necho Terraform v1.11.4\necho '{complaint}' >&2\n")
    program.chmod(0o755)
    (machine.home / ".terraformrc").write_text("provider_installation <<<")
    make_unpacked(machine.disk)
    choice = machine.choose(Terraform(str(program), (1, 11, 4), "linux_amd64", tofu=False))
    assert (choice.environment == {}) is (complaint == "")
    assert [notice.endswith("can read: it is passed over") for notice in choice.notices] == [True] * bool(complaint)


@pytest.mark.parametrize(
    "methods",
    [
        "direct {}",
        'network_mirror { url = "https://mirror.example.com/" }',
        'dev_overrides { "hashicorp/aws" = "/src" }',
    ],
)
def test_configuration_that_works_is_left_alone(machine: Machine, methods: str) -> None:
    machine.answer(reachable=True)
    (machine.home / ".terraformrc").write_text(f"provider_installation {{\n  {methods}\n}}\n")
    make_unpacked(machine.disk)
    assert machine.choose().environment == {}
    assert machine.choose(TF_CLI_CONFIG_FILE="/nonexistent").environment == {"TF_CLI_CONFIG_FILE": None}


@pytest.mark.parametrize("layout", [make_unpacked, make_packed])
def test_named_mirror_may_be_packed_or_not(machine: Machine, layout: object) -> None:
    assert callable(layout)
    package = layout(machine.root / "mirror")
    assert find_target(machine.choose(TF_PROVIDER_MIRROR=str(machine.root / "mirror"))) == package
    assert find_target(machine.choose(TF_PROVIDER_MIRROR="mirror")) == package  # relative to the checkout


@pytest.mark.parametrize(
    ("name", "reason"),
    [("/nonexistent", "/nonexistent is not a folder."), ("empty", "holds no usable hashicorp/aws ~> 5.100")],
)
def test_named_mirror_that_has_nothing_is_an_error_whatever_else_there_is(
    machine: Machine, name: str, reason: str
) -> None:
    make_unpacked(machine.disk)
    (machine.root / "empty").mkdir()
    first, *rest = machine.fail(TF_PROVIDER_MIRROR=name)
    assert first.startswith("TF_PROVIDER_MIRROR: ")
    assert reason in first
    assert "providers mirror -platform=linux_amd64" in "".join(rest)


def test_broken_copies_are_passed_over_for_a_whole_one(machine: Machine) -> None:
    make_unpacked(machine.disk / "tf-a", program=make_program()[:-1])
    make_unpacked(machine.disk / "tf-b", program=make_program("arm64"))
    make_packed(machine.disk / "tf-c").write_bytes(b"PK\x03\x04 cut")
    make_unpacked(machine.disk / "tf-d", "4.9.0")
    make_unpacked(machine.disk / "tf-e", platform="darwin_arm64")
    whole = make_unpacked(machine.disk / "a/long/way/down")
    assert find_target(machine.choose()) == whole


def test_broken_copies_are_named_where_there_is_nothing_else(machine: Machine) -> None:
    make_unpacked(machine.disk / "one", program=make_program()[:-1])
    make_unpacked(machine.disk / "two", program=make_program("arm64"))
    make_packed(machine.disk / "three").write_bytes(b"PK\x03\x04 cut")
    (line,) = [line for line in machine.fail() if line.startswith("Not usable: ")]
    assert line.count(" is ") == 2  # and no more than two, however many there are


def test_without_any_provider_one_short_message_says_what_to_run(machine: Machine) -> None:
    began = time.monotonic()
    lines = machine.fail()
    assert time.monotonic() - began < 30
    text = "\n".join(lines)
    assert "hashicorp/aws ~> 5.100 for linux_amd64" in text
    assert "registry.terraform.io does not answer" in text
    assert "terraform -chdir=infra providers mirror -platform=linux_amd64 " in text
    assert "TF_PROVIDER_MIRROR=" in text


def test_registry_is_asked_for_a_limited_time_and_of_the_right_host(machine: Machine) -> None:
    machine.fail()
    assert "--max-time 1.0" in machine.asked.read_text()
    assert "https://registry.terraform.io/.well-known/terraform.json" in machine.asked.read_text()
    with pytest.raises(ProviderError, match=r"OpenTofu cannot(.|\n)*tofu -chdir=infra providers mirror"):
        machine.choose(TOFU)
    assert "https://registry.opentofu.org/" in machine.asked.read_text()


def test_registry_is_used_directly_and_what_it_sends_is_kept(machine: Machine) -> None:
    machine.answer(reachable=True)
    choice = machine.choose()
    assert read_methods(Path(choice.environment["TF_CLI_CONFIG_FILE"] or "").read_text())[0].kind == "direct"
    assert choice.environment["TF_PLUGIN_CACHE_DIR"] == str(machine.root / ".local/terraform/plugins")
    assert "TF_PLUGIN_CACHE_DIR" not in machine.choose(TF_PLUGIN_CACHE_DIR="/mine").environment


def test_opentofu_takes_a_copy_from_terraforms_registry(machine: Machine) -> None:
    package = make_unpacked(machine.disk)
    assert find_target(machine.choose(TOFU), "registry.opentofu.org/hashicorp/aws") == package
    assert find_target(machine.choose()) == package


def test_what_was_found_is_remembered_and_looked_at_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_unpacked(machine.disk / "somewhere")
    roots: list[list[Path]] = []
    search = searching.search

    def watch(searched: list[Path], *rest: object) -> object:
        roots.append(searched)
        return search(searched, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(choosing, "search", watch)
    monkeypatch.setattr(choosing, "list_roots", lambda _home, _root: [machine.disk])
    del machine.environment["TF_PROVIDER_SEARCH"]
    assert find_target(machine.choose()) == package
    assert roots.pop() == [machine.disk]
    assert find_target(machine.choose()) == package
    assert roots.pop() == [package]
    moved = make_unpacked(machine.disk / "moved")
    next(package.glob("terraform-*")).unlink()
    assert find_target(machine.choose()) == moved
    assert roots.pop() == [machine.disk]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"found": 1, "checked": {}}', '{"found": "/nonexistent"}'])
def test_broken_memory_is_none(machine: Machine, text: str) -> None:
    (machine.root / ".local/terraform").mkdir(parents=True)
    (machine.root / ".local/terraform/provider.json").write_text(text)
    package = make_unpacked(machine.disk)
    assert find_target(machine.choose()) == package


def lock(machine: Machine, package: Path) -> None:
    """Pin a package's checksum."""
    names = sorted(path.name for path in package.iterdir())
    listed = subprocess.run(["sha256sum", *names], cwd=package, capture_output=True, check=True).stdout
    checksum = "h1:" + base64.b64encode(hashlib.sha256(listed).digest()).decode()
    (machine.root / "infra/.terraform.lock.hcl").write_text(LOCK.format(checksum=checksum))


def test_copy_that_differs_from_the_lock_file_is_not_used(machine: Machine) -> None:
    package = make_unpacked(machine.disk / "somewhere")
    lock(machine, package)
    assert find_target(machine.choose()) == package
    program = next(package.glob("terraform-*"))
    changed = bytearray(program.read_bytes())
    changed[-1] ^= 1
    program.write_bytes(changed)
    os.utime(program, ns=(1, 1))
    assert "differs from its checksum in infra/.terraform.lock.hcl" in "\n".join(machine.fail())
    other = make_unpacked(machine.disk / "unlikely/folder/far/down")
    assert find_target(machine.choose()) == other


def test_checksum_is_reckoned_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_unpacked(machine.disk)
    lock(machine, package)
    machine.choose()
    monkeypatch.setattr(choosing, "has_checksum", lambda *_: pytest.fail("reckoned again"))
    assert find_target(machine.choose()) == package


def test_version_of_the_lock_file_is_preferred_and_another_will_do_for_a_copy(machine: Machine, tmp_path: Path) -> None:
    newer = make_unpacked(machine.disk / "terraform", "5.101.0")
    other = make_unpacked(tmp_path / "other")
    lock(machine, other)
    choice = machine.choose()
    assert (choice.package and choice.package.path) == newer
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / ".terraform.lock.hcl").write_text((machine.root / "infra/.terraform.lock.hcl").read_text())
    release_lock(copy, choice, TERRAFORM)
    assert list(copy.iterdir()) == []
    with pytest.raises(ProviderError):
        machine.choose(pinned=True)
    other.parents[4].rename(machine.disk / "z")
    assert find_target(machine.choose(pinned=True)).is_relative_to(machine.disk / "z")


def test_what_another_user_could_change_is_found_only_with_a_known_checksum(machine: Machine) -> None:
    package = make_unpacked(machine.disk / "somewhere")
    package.chmod(0o777)
    assert "has no known checksum and is another user's to change" in "\n".join(machine.fail())
    assert find_target(machine.choose(TF_PROVIDER_MIRROR=str(machine.disk))) == package
    lock(machine, package)
    assert find_target(machine.choose()) == package


def test_lock_file_stays_where_its_version_was_found(machine: Machine, tmp_path: Path) -> None:
    lock(machine, make_unpacked(machine.disk))
    release_lock(machine.root / "infra", machine.choose(), TERRAFORM)
    assert (machine.root / "infra/.terraform.lock.hcl").exists()


def test_what_terraform_installed_for_this_checkout_is_no_source_of_it(machine: Machine) -> None:
    make_unpacked(machine.root / ".local/terraform/data/providers")
    machine.fail(TF_PROVIDER_SEARCH=str(machine.root))
