"""The search of a disk for copies of the provider."""

import itertools
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from prerequisites.packages import Package
from prerequisites.search import Verdict, search, walk
from tests.unit.tooling.prerequisites.provider_packages import make_packed, make_unpacked


def never() -> bool:
    return False


def take_all(_: Package) -> Verdict:
    return Verdict.WANTED


@pytest.mark.parametrize("where", ["opt/tf-plugins", "home/me/.terraform.d/plugins", "a/b/c/d", "tmp/x/.terraform"])
def test_package_is_found_wherever_it_lies(tmp_path: Path, where: str) -> None:
    folder = make_unpacked(tmp_path / where)
    assert search([tmp_path], [], take_all, 60) == Package(folder, (5, 100, 0), "linux_amd64")


def test_likely_folders_come_first(tmp_path: Path) -> None:
    for first, second in itertools.product(range(10), repeat=2):
        (tmp_path / f"a{first}/b{second}").mkdir(parents=True)
    make_packed(tmp_path / "srv/tf-mirror/deep/deeper")
    looked = 0

    def is_over() -> bool:
        nonlocal looked
        looked += 1
        return looked > 40

    assert [package.path.name for package in walk([tmp_path], [], is_over)] == [
        "terraform-provider-aws_5.100.0_linux_amd64.zip"
    ]


def test_search_ends_in_time_where_a_disk_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, scan = threading.Event(), os.scandir

    def hang(folder: str) -> Any:
        answer.wait(60)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", hang)
    make_unpacked(tmp_path)
    began = time.monotonic()
    assert search([tmp_path], [], take_all, 0.1) is None
    assert time.monotonic() - began < 30  # not the minute that the disk takes
    answer.set()


def test_search_stops_when_its_time_is_over(tmp_path: Path) -> None:
    make_unpacked(tmp_path)
    assert list(walk([tmp_path], [], lambda: True)) == []


def test_links_are_not_followed_and_what_is_left_out_is_not_searched(tmp_path: Path) -> None:
    make_unpacked(tmp_path / "elsewhere")
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "disk/loop").symlink_to(tmp_path / "disk")
    assert list(walk([tmp_path / "disk"], [], never)) == []
    assert list(walk([tmp_path], [tmp_path / "elsewhere"], never)) == []


def test_folder_that_may_not_be_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(folder: str) -> Any:
        if folder.endswith("secret"):
            raise PermissionError(folder)
        return scan(folder)

    (tmp_path / "secret").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    folder = make_unpacked(tmp_path)
    assert [package.path for package in walk([tmp_path], [], never)] == [folder]


def test_wanted_version_wins_over_another_that_will_do(tmp_path: Path) -> None:
    other, wanted = make_unpacked(tmp_path / "terraform", "5.101.0"), make_unpacked(tmp_path / "z/y/x")

    def judge(package: Package) -> Verdict:
        return Verdict.WANTED if package.version == (5, 100, 0) else Verdict.WILL_DO

    def settle(package: Package) -> Verdict:
        return Verdict.WILL_DO if package.path == other else Verdict.UNUSABLE

    found = [search([tmp_path], [], verdict, 60) for verdict in (judge, settle, lambda _: Verdict.UNUSABLE)]
    assert [package and package.path for package in found] == [wanted, other, None]
