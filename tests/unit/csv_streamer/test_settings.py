"""Every setting has its default and its bounds, and settings that need more memory than there is are refused."""

import re
from pathlib import Path

import pytest

from csv_streamer.env import SettingsError
from csv_streamer.settings import GIB, KIB, MIB, Settings

PACKAGE = Path(__file__).parents[3] / "lambdas" / "csv_streamer"


def read(**variables: str) -> Settings:
    return Settings.from_environment({"BUCKET_NAME": "b", **variables})


def test_only_the_bucket_is_needed() -> None:
    settings = read()
    assert (settings.bucket, settings.path_prefix, settings.concurrency) == ("b", "raw", 2)
    assert (settings.part_size, settings.chunk_size, settings.max_file_size) == (50 * MIB, 1024 * KIB, 100 * GIB)
    assert (settings.upload_concurrency, settings.range_connections, settings.max_attempts) == (4, 4, 5)
    assert {settings.allow_private_hosts, settings.skip_unchanged, settings.continue_async} == {False}
    assert (settings.max_hops, settings.stop_before_seconds, settings.stall_seconds) == (50, 45, 60)
    with pytest.raises(SettingsError, match=r"^BUCKET_NAME is not set$"):
        Settings.from_environment({})


def test_sizes_are_given_in_their_units() -> None:
    settings = read(S3_PART_MB="5", HTTP_CHUNK_KB="16", MAX_FILE_GB="1", PATH_PREFIX="/a/b/")
    assert (settings.part_size, settings.chunk_size, settings.max_file_size) == (5 * MIB, 16 * KIB, GIB)
    assert settings.path_prefix == "a/b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("S3_PART_MB", "4"),
        ("S3_PART_MB", "5121"),
        ("CONCURRENCY", "0"),
        ("UPLOAD_CONCURRENCY", "0"),
        ("RANGE_CONNECTIONS", "-1"),
        ("HTTP_CHUNK_KB", "1"),
        ("MAX_ATTEMPTS", "0"),
        ("MAX_FILE_GB", "5121"),
        ("MAX_HOPS", "0"),
        ("STALL_SECONDS", "many"),
        ("PROGRESS_SECONDS", "0.5"),
        ("SKIP_UNCHANGED", "yes"),
        ("ALLOW_PRIVATE_HOSTS", "1"),
        ("CONTINUE_ASYNC", "on"),
        ("SUFFIX_MAP", "{"),
        ("SUFFIX_MAP", "[]"),
        ("SUFFIX_MAP", '{"a": 1}'),
        ("SUFFIX_MAP", '{"a": ""}'),
    ],
)
def test_value_out_of_bounds_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is "):
        read(**{name: value})


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as problem:
        Settings.from_environment({"S3_PART_MB": "4", "SUFFIX_MAP": "x", "SKIP_UNCHANGED": "?"})
    assert [part.split()[0] for part in str(problem.value).split("; ")] == [
        "BUCKET_NAME",
        "S3_PART_MB",
        "SUFFIX_MAP",
        "SKIP_UNCHANGED",
    ]


@pytest.mark.parametrize("value", [None, "", " ", "{}", "{ }"])
def test_suffix_map_has_its_six_entries_unless_another_is_given(value: str | None) -> None:
    suffix_map = read(**({} if value is None else {"SUFFIX_MAP": value})).suffix_map
    assert set(suffix_map) == {"rent_contracts", "transactions", "projects", "units", "developers", "buildings"}
    assert all(name == f"{word}.csv" for word, name in suffix_map.items())


def test_memory_is_that_of_all_parts_and_chunks_under_way() -> None:
    lean = read(CONCURRENCY="1", UPLOAD_CONCURRENCY="1", RANGE_CONNECTIONS="1", S3_PART_MB="5", HTTP_CHUNK_KB="1024")
    base = lean.memory_bytes - 2 * 5 * MIB - 2 * 2 * MIB
    rich = read(CONCURRENCY="3", UPLOAD_CONCURRENCY="7", RANGE_CONNECTIONS="5", S3_PART_MB="9", HTTP_CHUNK_KB="512")
    assert rich.memory_bytes == base + 3 * (8 * 9 * MIB + (5 + 1) * 2 * 512 * KIB)


def test_settings_beyond_the_functions_memory_are_refused() -> None:
    needed = -(-read().memory_bytes // MIB)
    assert read(AWS_LAMBDA_FUNCTION_MEMORY_SIZE=str(needed)).part_size == 50 * MIB
    with pytest.raises(SettingsError, match=f"need up to {needed} MB and the function has 512 MB: lower S3_PART_MB"):
        read(AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512")


def test_defaults_fit_the_functions_default_memory() -> None:
    assert read(AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1024").concurrency == 2


def read_table(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the README."""
    section = (PACKAGE / "README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [re.split(r" *\| *", line)[1:-1] for line in section.splitlines() if line.startswith("| `")]


def test_readme_has_every_setting_with_its_default() -> None:
    told = {name.strip("`"): default for name, default, _ in read_table("Environment")}
    source = (PACKAGE / "settings.py").read_text()
    numbers = dict(re.findall(r'env\.integer\("(\w+)", (\d+)', source))
    switches = dict.fromkeys(re.findall(r'env\.flag\("(\w+)"', source), "false")
    others = {"BUCKET_NAME": "required", "PATH_PREFIX": "raw", "LOG_LEVEL": "INFO", "SUFFIX_MAP": told["SUFFIX_MAP"]}
    others |= {"SUFFIX_MATCH": "url", "CA_BUNDLE": ""}
    others |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"), "")
    assert told == numbers | switches | others


def test_readme_has_every_event_that_is_logged() -> None:
    source = "".join(path.read_text() for path in PACKAGE.rglob("*.py") if not path.is_symlink())
    calls = re.findall(r"ogger\.(?:debug|info|warning|error|exception)\(\s*([^,)]*)", source)
    logged = {name for call in calls for name in re.findall(r'"(\w+)"', call)}
    logged |= set(re.findall(r'_refuse\(context, "(\w+)"', source))
    told = {name for cells in read_table("Log events") for name in re.findall(r"`(\w+)`", cells[0])}
    assert logged == told
    assert len(told) > 20


def test_readme_tells_the_memory_of_the_defaults() -> None:
    assert f"that is {read().memory_bytes // MIB} MB" in (PACKAGE / "README.md").read_text()


def test_the_suffix_map_adds_to_the_defaults_and_takes_out_of_them() -> None:
    given = '{"sales": "sales.csv", "units": null, "projects": "p.csv"}'
    suffix_map = Settings.from_environment({"BUCKET_NAME": "b", "SUFFIX_MAP": given}).suffix_map
    assert list(suffix_map)[:2] == ["sales", "projects"]
    assert suffix_map["projects"] == "p.csv"
    assert suffix_map["buildings"] == "buildings.csv"
    assert "units" not in suffix_map
