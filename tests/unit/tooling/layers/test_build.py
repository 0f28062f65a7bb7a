"""Builds of layers and functions: when they run and what stops them."""

import fcntl
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import build as build_module
import inputs
from build import build_functions, build_layers, check_sizes, main, make_layers, occupy, read_arguments
from inputs import Build, find_layers, find_packages, read_layers_of
from tests.unit.tooling.layers.conftest import WriteFiles
from wheels import BuildError, check_pins, explain, read_pins, remove_runtime_packages, run

ROOT = Path(__file__).parents[4]
CHECKOUT = {
    "layers/one/requirements.txt": "thing==1.0\n",
    "lambdas/alpha/app.py": "lambda_handler = print\n",
    "lambdas/alpha/requirements.txt": "# why\n-r ../../layers/one/requirements.txt\n",
}


def fake_install(version: str = "1.0", body: str = "") -> Callable[..., None]:
    def install(requirements: Path, tree: Path, **_options: Any) -> None:
        (tree / "thing.py").parent.mkdir(parents=True, exist_ok=True)
        (tree / "thing.py").write_text(body)
        (tree / f"thing-{version}.dist-info").mkdir()
        (tree / f"thing-{version}.dist-info/METADATA").write_text(f"Name: thing\nVersion: {version}\n")

    return install


@pytest.fixture
def checkout(write_files: WriteFiles) -> Path:
    return write_files(CHECKOUT)


@pytest.fixture
def pip_build(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    monkeypatch.setattr(build_module, "install_by_pip", fake_install())
    return Build(checkout, checkout / "build", "pip")


def test_every_layer_of_the_checkout_is_fully_pinned() -> None:
    assert find_layers(ROOT)
    for layer in find_layers(ROOT):
        assert read_pins(ROOT / "layers" / layer / "requirements.txt"), layer


def test_layers_agree_on_the_versions_they_share() -> None:
    versions: dict[str, set[str]] = {}
    for layer in find_layers(ROOT):
        for name, version in read_pins(ROOT / "layers" / layer / "requirements.txt").items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_tests_run_with_the_versions_of_the_layers() -> None:
    pinned = dict(re.findall(r"^(\S+)==(\S+)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
    for layer in find_layers(ROOT):
        for name, version in read_pins(ROOT / "layers" / layer / "requirements.txt").items():
            assert pinned[name] == version


def test_tests_run_with_the_versions_that_scripts_have() -> None:
    pinned, scripts = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements-dev.txt", "requirements-scripts.txt")
    )
    assert scripts
    assert scripts <= pinned


def test_every_function_of_the_checkout_names_existing_layers() -> None:
    assert find_packages(ROOT)
    for package in find_packages(ROOT):
        assert read_layers_of(ROOT, package)


@pytest.mark.parametrize("line", ["thing", "thing>=1", "thing==1.0 ; python_version > '3'", "-r other.txt"])
def test_loose_requirement_is_refused(write_files: WriteFiles, line: str) -> None:
    root = write_files({"requirements.txt": f"other==1\n{line}\n"})
    with pytest.raises(BuildError, match=r"line 2: .* is not a pin"):
        read_pins(root / "requirements.txt")


def test_unpinned_dependency_and_wrong_version_are_named(write_files: WriteFiles) -> None:
    root = write_files(
        {
            "requirements.txt": "Wanted_Thing==2.0\nabsent==1\n",
            "tree/wanted_thing-1.0.dist-info/METADATA": "Name: wanted-thing\nVersion: 1.0\n",
            "tree/extra-3.dist-info/METADATA": "Name: extra\nVersion: 3\n",
        }
    )
    with pytest.raises(BuildError) as failure:
        check_pins(root / "tree", root / "requirements.txt")
    assert "extra 3 is needed but not pinned" in str(failure.value)
    assert "absent is pinned to 1 but none was installed" in str(failure.value)
    assert "wanted-thing is pinned to 2.0 but 1.0 was installed" in str(failure.value)


INSTALLED = {
    "requirements.txt": "wanted==1\njmespath==1\n",
    "tree/wanted/core.py": "",
    "tree/wanted-1.dist-info/METADATA": "Name: wanted\nVersion: 1\n",
    "tree/wanted-1.dist-info/RECORD": "wanted/core.py,,\nwanted-1.dist-info/METADATA,,\nwanted-1.dist-info/RECORD,,\n",
    "tree/botocore/data/s3.json": "{}",
    "tree/botocore-2.dist-info/METADATA": "Name: botocore\nVersion: 2\n",
    "tree/botocore-2.dist-info/RECORD": "botocore/data/s3.json,,\nbotocore-2.dist-info/METADATA,,\n"
    "../../outside.py,,\nbotocore-2.dist-info/RECORD,,\n",
    "tree/jmespath/lexer.py": "",
    "tree/jmespath-1.dist-info/METADATA": "Name: jmespath\nVersion: 1\n",
    "tree/jmespath-1.dist-info/RECORD": "jmespath/lexer.py,,\n",
    "outside.py": "",
}


def test_what_the_runtime_has_is_left_out_unless_it_is_pinned(write_files: WriteFiles) -> None:
    root = write_files(INSTALLED)
    assert remove_runtime_packages(root / "tree", root / "requirements.txt") == ["botocore"]
    assert sorted(path.name for path in (root / "tree").iterdir()) == [
        "jmespath",
        "jmespath-1.dist-info",
        "wanted",
        "wanted-1.dist-info",
    ]
    assert (root / "tree/wanted/core.py").is_file()
    check_pins(root / "tree", root / "requirements.txt")


def test_leaving_out_touches_nothing_outside_of_the_tree(write_files: WriteFiles) -> None:
    root = write_files(INSTALLED)
    remove_runtime_packages(root / "tree", root / "requirements.txt")
    assert (root / "outside.py").is_file()


def test_no_layer_holds_the_sdk() -> None:
    # One frozen in a layer would never get the runtime's security fixes.
    for layer in find_layers(ROOT):
        assert not {"boto3", "botocore", "s3transfer"} & read_pins(ROOT / "layers" / layer / "requirements.txt").keys()


def test_function_without_requirements_is_refused(checkout: Path) -> None:
    (checkout / "lambdas/alpha/requirements.txt").unlink()
    with pytest.raises(BuildError, match="is missing"):
        read_layers_of(checkout, "alpha")


@pytest.mark.parametrize(
    "line", ["requests==2", "-r ../../layers/none/requirements.txt", "-r layers/one/requirements.txt"]
)
def test_function_needs_nothing_but_layers(checkout: Path, line: str) -> None:
    (checkout / "lambdas/alpha/requirements.txt").write_text(line)
    with pytest.raises(BuildError, match="line 1"):
        read_layers_of(checkout, "alpha")


def test_second_build_does_nothing(pip_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_layers(pip_build, "pip") == {"one": "built"}
    monkeypatch.setattr(build_module, "install_by_pip", lambda *_, **__: pytest.fail("installed again"))
    assert build_layers(pip_build, "pip") == {"one": "unchanged"}


def test_what_a_killed_build_left_is_deleted_and_builds_wait_for_each_other(pip_build: Build) -> None:
    left = [pip_build.output / ".trees-k1lled/one/thing", pip_build.output / ".code-k1lled/alpha"]
    for folder in left:
        folder.mkdir(parents=True)
    with occupy(pip_build.output):
        assert [folder for folder in left if folder.exists()] == []
        with (pip_build.output / ".lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_changed_requirements_are_built_again(pip_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    build_layers(pip_build, "pip")
    pip_build.layer_requirements("one").write_text("thing==2.0\n")
    monkeypatch.setattr(build_module, "install_by_pip", fake_install("2.0", "new"))
    assert build_layers(pip_build, "pip") == {"one": "built"}


def test_damaged_zip_is_built_again(pip_build: Build) -> None:
    build_layers(pip_build, "pip")
    pip_build.layer_zip("one").write_bytes(b"not a zip")
    assert build_layers(pip_build, "pip") == {"one": "built"}


@pytest.mark.parametrize("choice", [{"architecture": "arm64"}, {"native": True}])
def test_other_architecture_is_not_taken_for_fresh(pip_build: Build, choice: dict[str, Any]) -> None:
    build_layers(pip_build, "pip")
    other = Build(pip_build.root, pip_build.output, "pip", **choice)
    assert not inputs.is_fresh(other, "one", "pip")
    assert inputs.is_fresh(pip_build, "one", "pip")


def test_wrong_install_leaves_no_zip_and_no_stamp(pip_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "install_by_pip", fake_install("0.9"))
    with pytest.raises(BuildError, match=r"pinned to 1\.0 but 0\.9"):
        build_layers(pip_build, "pip")
    assert [path for path in pip_build.output.rglob("*") if path.is_file()] == []


def test_failing_docker_falls_back_to_pip_only_when_left_to_choose(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise BuildError("no such image")

    monkeypatch.setattr(build_module, "find_docker_problem", lambda: None)
    monkeypatch.setattr(build_module, "install_by_docker", fail)
    monkeypatch.setattr(build_module, "install_by_pip", fake_install())
    with pytest.raises(BuildError, match="no such image"):
        make_layers(Build(checkout, checkout / "docker", "docker"))
    make_layers(Build(checkout, checkout / "auto", "auto"))
    said = capsys.readouterr()
    assert "no such image" in said.err
    assert "going on by pip" in said.err
    assert "layers (pip" in said.out


def test_docker_without_engine_is_an_error_that_names_the_way_out(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_module, "find_docker_problem", lambda: "no Docker engine answers")
    assert main(["--docker", "--root", str(checkout)]) == 1
    assert "no Docker engine answers; build without Docker by `make build BUILD=pip`" in capsys.readouterr().err


def test_whole_build_writes_zips_and_prints_sizes(pip_build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = pip_build.function_zip("gone")
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"")
    assert main(["--pip", "--root", str(pip_build.root)]) == 0
    assert pip_build.function_zip("alpha").is_file()
    assert pip_build.layer_zip("one").is_file()
    assert not stranger.exists()
    assert re.search(r"alpha +0\.00 MB +with one", capsys.readouterr().out)


ONE = {"lambdas/alpha/one.c": "int one(void) { return 1; }\n", "lambdas/alpha/one.so": "of this machine"}


@pytest.mark.parametrize(("architecture", "machine"), [("x86_64", 62), ("arm64", 183)])
def test_zip_holds_the_library_of_its_architecture_in_place_of_the_source(
    pip_build: Build, write_files: WriteFiles, architecture: str, machine: int
) -> None:
    write_files(ONE)
    build = Build(pip_build.root, pip_build.output, "pip", architecture)
    assert build_functions(build) == {"alpha": "built"}
    with zipfile.ZipFile(build.function_zip("alpha")) as archive:
        names = [name for name in archive.namelist() if "__pycache__" not in name]
        library = archive.read("alpha/one.so")
    assert names == ["alpha/app.py", "alpha/one.so"]
    assert library[:4] == b"\x7fELF"
    assert library[18] == machine
    assert (build.root / "lambdas/alpha/one.so").read_text() == "of this machine"


def test_zip_with_a_library_is_reproducible(pip_build: Build, write_files: WriteFiles) -> None:
    write_files(ONE)
    again = Build(pip_build.root, pip_build.root / "elsewhere", "pip")
    build_functions(pip_build)
    build_functions(again)
    assert pip_build.function_zip("alpha").read_bytes() == again.function_zip("alpha").read_bytes()
    assert build_functions(pip_build) == {"alpha": "unchanged"}


def test_source_that_does_not_compile_fails_the_build_in_the_compilers_words(
    pip_build: Build, write_files: WriteFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files({"lambdas/alpha/one.c": "int one(void) { return none; }\n"})
    assert main(["--pip", "--root", str(pip_build.root)]) == 1
    said = capsys.readouterr().err
    assert "build failed: could not compile" in said
    assert "one.c:1:24: error: use of undeclared identifier 'none'" in said


def test_size_limit_is_an_error(
    pip_build: Build, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_module, "UNZIPPED_LIMIT", 40)
    assert main(["--pip", "--root", str(pip_build.root)]) == 1
    assert "alpha and its layers take 0.0 MB unzipped" in capsys.readouterr().err


def test_size_limit_counts_to_the_byte() -> None:
    check_sizes({"alpha": 250 * 1024 * 1024})
    with pytest.raises(BuildError, match=r"beta and its layers take 250\.0 MB unzipped: Lambda allows 250 MB"):
        check_sizes({"alpha": 1, "beta": 250 * 1024 * 1024 + 1})


def test_full_disk_is_said_in_one_line(
    pip_build: Build, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: Any) -> bool:
        raise OSError(28, "No space left on device", "some.zip")

    monkeypatch.setattr(build_module, "write_zip", fail)
    assert main(["--pip", "--root", str(pip_build.root)]) == 1
    assert capsys.readouterr().err == "build failed: No space left on device (some.zip)\n"


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        ("Temporary failure in name resolution", "cannot be reached"),
        ("No matching distribution found for thing==9", "no wheel of a pinned version"),
        ("/usr/bin/python3: No module named pip", "has no pip"),
        ("/usr/bin/python3: No module named ziglang", "`make setup`"),
    ],
)
def test_usual_causes_are_explained(output: str, cause: str) -> None:
    assert cause in explain(output)


def test_failing_tool_shows_the_end_of_what_it_said() -> None:
    script = "import sys; print('WARNING: noise'); sys.exit('the reason')"
    with pytest.raises(BuildError) as failure:
        run([sys.executable, "-c", script], "it failed")
    assert str(failure.value).splitlines() == ["it failed", "    the reason"]


def test_native_excludes_docker(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(["--native", "--docker"])
    assert "--native" in capsys.readouterr().err
