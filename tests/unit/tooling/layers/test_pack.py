"""The content of a zip; its bytes depend on nothing else."""

import os
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from pack import collect_function, collect_layer, digest, keeps_in_function, keeps_in_layer, measure_unzipped, write_zip
from tests.unit.tooling.layers.conftest import WriteFiles


def test_same_files_give_same_bytes_whatever_their_times_modes_and_order(write_files: WriteFiles) -> None:
    root = write_files({"a.py": "one", "b/c.json": "{}"})
    files = {"a.py": root / "a.py", "b/c.json": root / "b/c.json"}
    assert write_zip(root / "first.zip", files)
    os.utime(root / "a.py", (1_000_000_000, 1_000_000_000))
    (root / "b/c.json").chmod(0o700)
    write_zip(root / "second.zip", dict(reversed(files.items())))
    assert (root / "first.zip").read_bytes() == (root / "second.zip").read_bytes()


def test_entries_have_fixed_time_and_mode_and_are_sorted(write_files: WriteFiles) -> None:
    root = write_files({"z": "z", "a": "a"})
    write_zip(root / "out.zip", {"z": root / "z", "a": root / "a"})
    with zipfile.ZipFile(root / "out.zip") as archive:
        entries = archive.infolist()
        assert archive.read("z") == b"z"
    assert [entry.filename for entry in entries] == ["a", "z"]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_shell_scripts_can_be_started_whatever_their_mode_here(write_files: WriteFiles) -> None:
    root = write_files({"run.sh": "#!/bin/sh"})
    (root / "run.sh").chmod(0o600)
    write_zip(root / "out.zip", {"run.sh": root / "run.sh"})
    with zipfile.ZipFile(root / "out.zip") as archive:
        assert archive.getinfo("run.sh").external_attr >> 16 == 0o100755


def test_changed_file_changes_the_zip(write_files: WriteFiles) -> None:
    root = write_files({"a": "one"})
    write_zip(root / "out.zip", {"a": root / "a"})
    before = digest(root / "out.zip")
    (root / "a").write_text("two")
    assert write_zip(root / "out.zip", {"a": root / "a"})
    assert digest(root / "out.zip") != before


def test_unchanged_zip_is_not_touched(write_files: WriteFiles) -> None:
    root = write_files({"a": "one"})
    write_zip(root / "out.zip", {"a": root / "a"})
    os.utime(root / "out.zip", (1_000_000_000, 1_000_000_000))
    assert not write_zip(root / "out.zip", {"a": root / "a"})
    assert (root / "out.zip").stat().st_mtime == 1_000_000_000
    assert list(root.glob("*.part")) == []


def test_failed_write_keeps_the_old_zip(write_files: WriteFiles) -> None:
    root = write_files({"a": "one"})
    write_zip(root / "out.zip", {"a": root / "a"})
    before = (root / "out.zip").read_bytes()
    with pytest.raises(FileNotFoundError):
        write_zip(root / "out.zip", {"a": root / "a", "b": root / "missing"})
    assert (root / "out.zip").read_bytes() == before
    assert list(root.glob("*.part")) == []


def test_unzipped_size_is_the_sum_of_the_files(write_files: WriteFiles) -> None:
    root = write_files({"a": "x" * 1000, "b": "y" * 500})
    write_zip(root / "out.zip", {"a": root / "a", "b": root / "b"})
    assert measure_unzipped(root / "out.zip") == 1500


def test_function_zip_keeps_the_package_and_follows_links(write_files: WriteFiles) -> None:
    root = write_files({"_shared/env.py": "shared", "thing/app.py": "app", "thing/README.md": "no"})
    (root / "thing/env.py").symlink_to("../_shared/env.py")
    files = collect_function(root / "thing")
    assert set(files) == {"thing/app.py", "thing/env.py"}
    write_zip(root / "out.zip", files)
    with zipfile.ZipFile(root / "out.zip") as archive:
        assert archive.read("thing/env.py") == b"shared"
        assert archive.getinfo("thing/env.py").external_attr >> 16 == 0o100644


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("app.py", True),
        ("schema.json", True),
        ("sub/module.py", True),
        ("README.md", False),
        ("scan.c", False),
        ("scan.h", False),
        ("scan.so", False),
        ("requirements.txt", False),
        ("__pycache__/app.cpython-313.pyc", False),
        ("tests/test_app.py", False),
        (".DS_Store", False),
    ],
)
def test_function_keeps_what_it_runs(name: str, kept: bool) -> None:
    assert keeps_in_function(PurePosixPath(name)) is kept


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("pydantic/main.py", True),
        ("pydantic-2.0.dist-info/METADATA", True),
        ("pydantic_core/_core.so", True),
        ("tests/__init__.py", True),
        ("pydantic-2.0.dist-info/RECORD", False),
        ("pydantic-2.0.dist-info/INSTALLER", False),
        ("pydantic-2.0.dist-info/REQUESTED", False),
        ("pydantic-2.0.dist-info/direct_url.json", False),
        ("pydantic/__pycache__/main.cpython-313.pyc", False),
        ("bin/jp.py", False),
        ("numpy/core/tests/test_x.py", False),
    ],
)
def test_layer_keeps_what_is_imported(name: str, kept: bool) -> None:
    assert keeps_in_layer(PurePosixPath(name)) is kept


def test_layer_lies_under_the_folder_that_lambda_looks_in(write_files: WriteFiles) -> None:
    tree = write_files({"jmespath/__init__.py": "", "bin/jp.py": ""})
    assert collect_layer(tree) == {"python/jmespath/__init__.py": Path(tree / "jmespath/__init__.py")}
