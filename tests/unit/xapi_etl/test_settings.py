"""Environment variables: defaults, values, and errors that name each invalid one."""

import pytest

from xapi_etl import clients
from xapi_etl.clickhouse.http_client import OWN_SETTINGS, find_overridden_settings
from xapi_etl.env import SettingsError
from xapi_etl.loading.wiring import open_s3
from xapi_etl.settings import Settings

HOST = {"CLICKHOUSE_HOST": "ch.example.org", "CLICKHOUSE_DATABASE": "xapi", "CLICKHOUSE_TABLE": "statements"}


def read(**variables: str) -> Settings:
    return Settings.from_environment(HOST | variables)


def url(**variables: str) -> str:
    return read(**variables).clickhouse.url


def test_defaults_are_those_of_the_readme() -> None:
    settings = read()
    assert settings.clickhouse.url == "https://ch.example.org:8443/"
    assert settings.clickhouse.target == "`xapi`.`statements`"
    assert settings.clickhouse.timeout_seconds == 30
    assert (settings.compression, settings.column_map, settings.log_level) == ("snappy", "xapi", "INFO")
    assert (settings.target_rows, settings.max_rows, settings.max_parquet_bytes) == (10_000, 30_000, 16 * 2**20)
    assert (settings.start_insert_ms, settings.safety_margin_ms) == (10_000, 5_000)
    assert (settings.s3_connect_seconds, settings.s3_read_seconds, settings.s3_max_attempts) == (5, 60, 3)
    assert (settings.progress_seconds, settings.max_receives) == (5, 5)
    assert (settings.bad_lines, settings.bad_lines_max_ratio, settings.strictness) == ("quarantine", 1, "statement")
    assert settings.quarantine_prefix == "quarantine/"
    assert not settings.is_dry_run


def test_url_is_made_of_host_port_security_and_path() -> None:
    assert url(CLICKHOUSE_SECURE="false") == "http://ch.example.org:8123/"
    assert url(CLICKHOUSE_SECURE="TRUE", CLICKHOUSE_PORT="9443") == "https://ch.example.org:9443/"
    assert url(CLICKHOUSE_PATH="/custom/endpoint/") == "https://ch.example.org:8443/custom/endpoint"
    assert url(CLICKHOUSE_HOST="::1") == "https://[::1]:8443/"


def test_url_wins_over_host_and_port() -> None:
    assert url(CLICKHOUSE_URL="http://127.0.0.1:8123", CLICKHOUSE_PORT="9") == "http://127.0.0.1:8123/"
    assert url(CLICKHOUSE_URL="https://h/base", CLICKHOUSE_PATH="more") == "https://h/base/more"


def test_credentials_are_taken_out_of_the_url() -> None:
    found = read(CLICKHOUSE_URL="https://us%40er:p%3Aw@h:8443").clickhouse
    assert (found.url, found.user, found.password) == ("https://h:8443/", "us@er", "p:w")
    found = read(CLICKHOUSE_URL="https://a:b@h", CLICKHOUSE_USER="c", CLICKHOUSE_PASSWORD="d").clickhouse
    assert (found.user, found.password) == ("c", "d")
    assert "'d'" not in repr(found)


def test_settings_are_a_list_of_names_and_values() -> None:
    found = read(CLICKHOUSE_SETTINGS="max_insert_block_size=100000, async_insert=1,,a=b=c").clickhouse.settings
    assert found == {"max_insert_block_size": "100000", "async_insert": "1", "a": "b=c"}


def test_settings_for_exactly_once_are_not_the_users() -> None:
    assert find_overridden_settings(
        {"async_insert": "1", "max_insert_threads": "1", "x": "y", "insert_deduplication_token": "t"}
    ) == [
        "async_insert",
        "insert_deduplication_token",
    ]
    assert OWN_SETTINGS["async_insert"] == "0"


def test_dry_run_needs_no_clickhouse() -> None:
    assert Settings.from_environment({"DRY_RUN": "true"}).is_dry_run


@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes", "on", " Yes "])
def test_spellings_of_true(text: str) -> None:
    assert read(DRY_RUN=text).is_dry_run
    assert url(CLICKHOUSE_SECURE=text) == "https://ch.example.org:8443/"


@pytest.mark.parametrize("text", ["false", "0", "no", "OFF"])
def test_spellings_of_false(text: str) -> None:
    assert not read(DRY_RUN=text).is_dry_run
    assert url(CLICKHOUSE_SECURE=text) == "http://ch.example.org:8123/"


def test_times_may_have_decimals() -> None:
    times = read(CLICKHOUSE_TIMEOUT_SECONDS="2.5", S3_READ_TIMEOUT_SECONDS="0.5", ITER_LOG_INTERVAL_SECONDS="1e1")
    assert (times.clickhouse.timeout_seconds, times.s3_read_seconds, times.progress_seconds) == (2.5, 0.5, 10)
    for text in ("nan", "inf", "-1", "2,5", "1000"):
        with pytest.raises(SettingsError, match="CLICKHOUSE_TIMEOUT_SECONDS"):
            read(CLICKHOUSE_TIMEOUT_SECONDS=text)


def test_parameters_of_the_url_are_settings_and_credentials() -> None:
    given = "https://h:8443/?database=d&user=u&password=p%26q&async_insert=1&max_threads=2"
    variables = {"CLICKHOUSE_URL": given, "CLICKHOUSE_TABLE": "t", "CLICKHOUSE_SETTINGS": "max_threads=3"}
    where = Settings.from_environment(variables).clickhouse
    assert (where.url, where.target, where.user, where.password) == ("https://h:8443/", "`d`.`t`", "u", "p&q")
    assert where.settings == {"async_insert": "1", "max_threads": "3"}
    assert read(CLICKHOUSE_URL=given, CLICKHOUSE_USER="other").clickhouse.user == "other"
    assert read(CLICKHOUSE_URL=given).clickhouse.database == "xapi"


def test_defaults_for_a_custom_mapping() -> None:
    for own in ({"COLUMN_MAP": "auto"}, {"COLUMN_MAP_S3_URI": "s3://b/k"}):
        settings = read(**own)
        assert (settings.bad_lines, settings.strictness) == ("fail", "json")


def test_insert_statement_makes_the_table_optional() -> None:
    settings = Settings.from_environment({"CLICKHOUSE_HOST": "h", "CLICKHOUSE_INSERT_SQL": "INSERT INTO v"})
    assert settings.clickhouse.target is None


@pytest.mark.parametrize(("level", "read_as"), [("debug", "DEBUG"), ("WARN", "WARNING"), ("warning", "WARNING")])
def test_log_level_in_any_writing(level: str, read_as: str) -> None:
    assert read(LOG_LEVEL=level).log_level == read_as


@pytest.mark.parametrize("text", ["ftp://h", "https://", "http://[::1", "http://h:99999", "http://h:x", "http://h#a"])
def test_invalid_url_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(CLICKHOUSE_URL=text.replace("//", "//me:s3cret@"))
    assert str(raised.value).startswith("CLICKHOUSE_URL is not a URL")
    assert "s3cret" not in str(raised.value)


def test_invalid_host_is_named() -> None:
    with pytest.raises(SettingsError, match="CLICKHOUSE_HOST is not"):
        read(CLICKHOUSE_HOST="[a]b")


def test_s3_client_has_the_limits_of_the_settings() -> None:
    clients.s3_client.cache_clear()
    settings = read(
        S3_CONNECT_TIMEOUT_SECONDS="7", S3_READ_TIMEOUT_SECONDS="8", S3_MAX_ATTEMPTS="9", READ_CONCURRENCY="10"
    )
    config = open_s3(settings).meta.config
    clients.s3_client.cache_clear()
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (7, 8, 10)
    assert config.retries["total_max_attempts"] == 9


WRONG = {
    "CLICKHOUSE_URL": "ftp://h",
    "CLICKHOUSE_PORT": "70000",
    "CLICKHOUSE_SECURE": "maybe",
    "CLICKHOUSE_SETTINGS": "novalue",
    "CLICKHOUSE_TIMEOUT_SECONDS": "0",
    "PARQUET_COMPRESSION": "rar",
    "MAX_S3_OBJECT_BYTES": "-1",
    "DRY_RUN": "perhaps",
    "LOG_LEVEL": "LOUD",
    "S3_CONNECT_TIMEOUT_SECONDS": "0",
    "S3_READ_TIMEOUT_SECONDS": "x",
    "S3_MAX_ATTEMPTS": "0",
    "ITER_LOG_INTERVAL_SECONDS": "0",
    "TARGET_ROWS_PER_INSERT": "0",
    "MAX_ROWS_PER_INSERT": "1.5",
    "MAX_PARQUET_BYTES_PER_INSERT": "1",
    "MIN_REMAINING_TIME_TO_START_INSERT_MS": "-1",
    "LAMBDA_TIMEOUT_SAFETY_MARGIN_MS": "x",
    "BAD_LINES": "drop",
    "BAD_LINES_MAX_RATIO": "1.1",
    "STRICTNESS": "lax",
    "MAX_LINE_BYTES": "1",
    "COLUMN_MAP": "csv",
    "COLUMN_MAP_S3_URI": "https://bucket/key",
    "CLICKHOUSE_INSERT_COLUMNS": "a,a",
    "MAX_RECEIVES": "0",
}


@pytest.mark.parametrize("name", WRONG)
def test_invalid_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read(**{name: WRONG[name]})


def test_all_invalid_variables_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment(WRONG)
    assert [name for name in [*WRONG, "CLICKHOUSE_DATABASE", "CLICKHOUSE_TABLE"] if name not in str(raised.value)] == []


def test_rows_of_an_insert_are_not_above_their_limit() -> None:
    with pytest.raises(SettingsError, match="TARGET_ROWS_PER_INSERT is above MAX_ROWS_PER_INSERT"):
        read(TARGET_ROWS_PER_INSERT="10", MAX_ROWS_PER_INSERT="9")
