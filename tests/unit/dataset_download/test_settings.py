import re
from pathlib import Path

import pytest

from dataset_download import settings
from dataset_download.env import SettingsError
from dataset_download.request.resolve import make_reading
from dataset_download.runtime.memory_budget import DEFAULT_MEMORY, Memory
from dataset_download.settings import MIB, Settings

LEAST = {"DATASET_BUCKET": "data", "EXPORT_BUCKET": "exports"}
PACKAGE = Path(settings.__file__).parent


def test_the_defaults() -> None:
    found = Settings.from_environment(LEAST)
    assert (found.stream_limit, found.export_inline, found.buffer_limit) == (20 * MIB, 200 * MIB, 6 * MIB)
    assert found.exports
    assert found.redirect_parquet
    assert not found.formula_guard
    assert found.export_prefix == "exports/"
    assert found.dataset_prefix == ""


def test_prefixes_end_in_one_slash() -> None:
    found = Settings.from_environment({**LEAST, "DATASET_PREFIX": "/a/b", "EXPORT_PREFIX": "x//"})
    assert (found.dataset_prefix, found.export_prefix) == ("a/b/", "x/")


def test_all_that_is_wrong_is_named() -> None:
    wrong = {
        "BATCH_ROWS": "many",
        "STREAM_LIMIT_MB": "-1",
        "EXPORTS": "perhaps",
        "PUBLIC_BASE_URL": "javascript:alert(1)",
        "LOG_LEVEL": "LOUD",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(wrong)
    for name in ("DATASET_BUCKET", *wrong):
        assert name in str(caught.value)


def test_exports_need_a_bucket_unless_nothing_is_exported() -> None:
    with pytest.raises(SettingsError, match="EXPORT_BUCKET"):
        Settings.from_environment({"DATASET_BUCKET": "data"})
    for more in ({"EXPORTS": "false"}, {"STREAM_LIMIT_MB": "0"}):
        assert Settings.from_environment({"DATASET_BUCKET": "data", **more}).export_bucket == ""


def test_the_readme_names_every_variable_and_no_other() -> None:
    code = re.findall(r'"([A-Z][A-Z_]{5,})"', (PACKAGE / "settings.py").read_text())
    code.append("LOG_LEVEL")  # Environment.log_level reads it
    set_by_aws = {"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"}
    set_by_aws |= {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"}
    table = re.search(r"## Environment\n(.*?)\n## ", (PACKAGE / "README.md").read_text(), re.DOTALL)
    assert table
    named = re.findall(r"^\| `([A-Z_]+)` \|", table[1], re.MULTILINE)
    assert sorted(named) == sorted(set(code) - set_by_aws)


def test_settings_reach_the_reading_they_are_for() -> None:
    variables = {**LEAST, "READ_AHEAD_MB": "3", "MAX_SORT_ROWS": "7", "BATCH_ROWS": "5"}
    reading = make_reading(Settings.from_environment(variables))
    assert (reading.read_ahead_bytes, reading.max_sort_rows, reading.batch_rows) == (3 * 1024 * 1024, 7, 5)
    assert reading.max_sort_bytes == reading.memory.sort < 128 * 1024 * 1024


def test_memory_is_the_functions_unless_another_is_given() -> None:
    def read(**variables: str) -> Memory:
        return Settings.from_environment({**LEAST, **variables}).memory

    assert read() == DEFAULT_MEMORY == read(AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512")
    assert read(AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1024") == read(MEMORY_MB="1024")
    assert read(AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1024", MEMORY_MB="512") == DEFAULT_MEMORY
    assert read(MEMORY_MB="1024").rows > DEFAULT_MEMORY.rows


def test_an_answers_tag_is_the_same_in_a_function_of_another_size() -> None:
    # The export function is larger than the one that claims the export for it; their Parquet is the same, too.
    assert Memory.of(512 * 1024 * 1024).batch == Memory.of(1024 * 1024 * 1024).batch
