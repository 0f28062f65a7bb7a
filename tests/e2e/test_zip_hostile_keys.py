"""Keys that no file system would take give a correct archive or a clear failure."""

import os
import posixpath
from pathlib import Path

import pytest

from tests.e2e.archives import Contents, find_tool, hash_bytes, read_with_python, run_tool
from tests.e2e.stack import Stack

# S3 refuses keys that climb out of the bucket when read from the left, so traversal needs folders to climb out of.
HOSTILE = {
    "a/b/../../../../etc/passwd": b"climbs out",
    "a/./b/./dot.txt": b"dots",
    "a//b.txt": b"empty folder name",
    "..\\..\\x.txt": b"backslashes",
    "C:\\Windows\\win.ini": b"drive",
    "with\ttab\x7fand delete.txt": b"control characters",
    "emoji 🎉🏳️‍🌈.txt": b"emoji",
    "plus+percent%2Fquote'\"&<>.txt": b"signs",
    " leading and trailing ": b"spaces",
    "Report.pdf": b"upper",
    "report.pdf": b"lower",
    "x/report.pdf": b"same name, first",
    "y/report.pdf": b"same name, second",
    "x/report (2).pdf": b"already numbered",
    "both": b"a file",
    "both/inside.txt": b"in a folder of the file's name",
    "zero.bin": b"",
    "folder/": b"",
    "-rf.txt": b"looks like an option",
    "nul": b"a device on Windows",
    "e\u0301.txt": b"decomposed",
    "\u00e9.txt": b"composed",
}


def legal_in_s3(name: str, prefix: str) -> bool:
    """Return whether AWS takes the key: a climb must never exceed what was descended before it."""
    depth = 0
    for part in (prefix + name).split("/"):
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True


@pytest.fixture
def objects(stack: Stack, prefix: str) -> dict[str, bytes]:
    objects = {prefix + name: content for name, content in HOSTILE.items() if legal_in_s3(name, prefix)}
    long_name = prefix + "長" * ((1024 - len(prefix.encode()) - 4) // 3)
    objects[long_name + "x" * (1020 - len(long_name.encode())) + ".txt"] = b"1,024 bytes"
    objects[f"/{prefix}absolute.txt"] = b"absolute"
    assert max(len(key.encode()) for key in objects) == 1024
    stack.put_objects(objects)
    return objects


def expect_harmless(contents: Contents) -> None:
    """Fail unless every name stays inside the folder it is extracted to, on Unix and Windows, beside all others."""
    for name in contents:
        assert not name.startswith("/"), name
        assert "\\" not in name, name
        assert not {"", ".", ".."} & set(name.split("/")), name
        assert name[1:3] != ":/", name
        assert name.isprintable() or "\u200d" in name, repr(name)
    folders = {folder for name in contents for folder in _parents(name)}
    assert not folders & set(contents), "a file has the name of a folder"


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


@pytest.mark.parametrize("paths", ["basename", "relative", "full"])
@pytest.mark.parametrize("compression", ["stored", "deflated"])
def test_hostile_names_give_a_harmless_archive_of_all_bytes(
    stack: Stack, objects: dict[str, bytes], tmp_path: Path, paths: str, compression: str
) -> None:
    job = stack.finish_job(keys=list(objects), paths=paths, compression=compression)

    archive = stack.download(job, tmp_path / "archive.zip")

    contents = read_with_python(archive, tmp_path)
    files = {key: content for key, content in objects.items() if not key.endswith("/")}
    assert sorted(contents.values()) == sorted(hash_bytes(content) for content in files.values())
    expect_harmless(contents)
    run_tool("unzip", "-tq", archive)


@pytest.mark.parametrize("command", ["7z t", "bsdtar -tf"])
def test_other_tools_accept_hostile_names(
    stack: Stack, objects: dict[str, bytes], tmp_path: Path, command: str
) -> None:
    name, option = command.split()
    tool = find_tool("7z", "7zz", "7za") if name == "7z" else find_tool(name)
    job = stack.finish_job(keys=list(objects), paths="full")

    run_tool(tool, option, stack.download(job, tmp_path / "archive.zip"))


def test_prefix_with_hostile_names_gives_the_same_bytes(
    stack: Stack, prefix: str, objects: dict[str, bytes], tmp_path: Path
) -> None:
    job = stack.finish_job(prefix=prefix, paths="relative")

    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)

    files = {key: content for key, content in objects.items() if key.startswith(prefix) and not key.endswith("/")}
    assert sorted(contents.values()) == sorted(hash_bytes(content) for content in files.values())
    expect_harmless(contents)


def test_newline_in_a_key_is_made_harmless(stack: Stack, prefix: str, tmp_path: Path) -> None:
    if os.environ.get("AUTH") == "true":
        pytest.skip("in MiniStack's policies no * matches a newline")
    keys = stack.put_objects({f"{prefix}two\nlines.txt": b"x"})

    job = stack.finish_job(keys=keys)

    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)
    assert contents == {"two_lines.txt": hash_bytes(b"x")}


def test_same_names_are_numbered(stack: Stack, prefix: str, tmp_path: Path) -> None:
    keys = stack.put_objects({f"{prefix}{folder}/report.pdf": folder.encode() for folder in "abc"})

    job = stack.finish_job(keys=keys)

    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)
    assert contents == {
        "report.pdf": hash_bytes(b"a"),
        "report (2).pdf": hash_bytes(b"b"),
        "report (3).pdf": hash_bytes(b"c"),
    }


def test_same_key_twice_is_archived_twice(stack: Stack, prefix: str, tmp_path: Path) -> None:
    (key,) = stack.put_objects({f"{prefix}one.pdf": b"one"})

    job = stack.finish_job(keys=[key, key])

    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)
    assert contents == {"one.pdf": hash_bytes(b"one"), "one (2).pdf": hash_bytes(b"one")}


def test_traversal_stays_inside_when_extracted(stack: Stack, prefix: str, tmp_path: Path) -> None:
    keys = stack.put_objects({f"{prefix}a/../../escaped.txt": b"x", f"{prefix}b/../safe.txt": b"y"})
    job = stack.finish_job(keys=keys, paths="full")
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)

    archive = stack.download(job, tmp_path / "archive.zip")
    run_tool("unzip", "-q", archive, "-d", inside)

    everything = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in everything} == {"archive.zip", "escaped.txt", "safe.txt"}
    assert all(path == archive or path.is_relative_to(inside) for path in everything)


def test_missing_object_fails_the_job_and_is_named(stack: Stack, prefix: str) -> None:
    (there,) = stack.put_objects({f"{prefix}there.pdf": b"x"})
    absent = f"{prefix}absent.pdf"

    error = stack.fail_job(keys=[there, absent])

    assert absent in error
    job_id = stack.created[-1]
    assert stack.list_versions(f"zips/{job_id}") == []
    assert stack.list_uploads(job_id) == []


def test_missing_objects_are_skipped_and_reported(stack: Stack, prefix: str, tmp_path: Path) -> None:
    (there,) = stack.put_objects({f"{prefix}there.pdf": b"x"})
    absent = [f"{prefix}absent-{number}.pdf" for number in range(3)]

    job = stack.finish_job(keys=[absent[0], there, *absent[1:]], onMissing="skip")

    assert (job["files"], job["skipped"], job["skippedKeys"]) == (1, 3, absent)
    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)
    assert contents == {"there.pdf": hash_bytes(b"x")}


@pytest.mark.parametrize("on_missing", ["fail", "skip"])
def test_nothing_but_missing_objects_fails_the_job(stack: Stack, prefix: str, on_missing: str) -> None:
    assert stack.fail_job(keys=[f"{prefix}absent.pdf"], onMissing=on_missing)


def test_prefix_without_objects_fails_the_job_clearly(stack: Stack, prefix: str) -> None:
    assert prefix in stack.fail_job(prefix=prefix)


def test_missing_manifest_fails_the_job_clearly(stack: Stack, prefix: str) -> None:
    assert posixpath.join(prefix, "absent.txt") in stack.fail_job(manifestKey=f"{prefix}absent.txt")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe not UTF-8", "é".encode() * 1000])
def test_useless_manifest_fails_the_job_clearly(stack: Stack, prefix: str, content: bytes) -> None:
    (manifest,) = stack.put_objects({f"{prefix}list.txt": content})

    assert stack.fail_job(manifestKey=manifest)


def test_manifest_with_windows_lines_and_blanks_is_read(stack: Stack, prefix: str, tmp_path: Path) -> None:
    keys = stack.put_objects({f"{prefix}{name}": name.encode() for name in ("one.pdf", "two with space.pdf")})
    (manifest,) = stack.put_objects({f"{prefix}list.txt": b"\xef\xbb\xbf" + "\r\n\r\n".join(keys).encode()})

    job = stack.finish_job(manifestKey=manifest)

    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)
    assert set(contents) == {"one.pdf", "two with space.pdf"}
