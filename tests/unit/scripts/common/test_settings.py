import subprocess
import sys
from pathlib import Path

import pytest

from lib.common.settings import SOURCED, SettingsError, read_env_file, read_settings
from tests.unit.scripts.conftest import ROOT
from write_outputs import collect_variables, format_variables


def write(root: Path, user: str = "", outputs: str = "") -> Path:
    (root / ".env").write_text(user)
    (root / ".local").mkdir()
    (root / ".local" / "outputs.env").write_text(outputs)
    return root


def test_outputs_are_used_when_nothing_else_is_set(tmp_path: Path) -> None:
    root = write(tmp_path, outputs="API_BASE=http://outputs\nZIP_SOURCE_BUCKET=outputs-source\n")

    settings = read_settings(root, {})

    assert settings["API_BASE"] == "http://outputs"
    assert settings["SRC_BUCKET"] == "outputs-source"


def test_users_file_wins_over_outputs(tmp_path: Path) -> None:
    root = write(tmp_path, user="API_BASE=http://user\n", outputs="API_BASE=http://outputs\n")

    assert read_settings(root, {})["API_BASE"] == "http://user"


def test_environment_wins_over_both_files(tmp_path: Path) -> None:
    root = write(tmp_path, user="API_BASE=http://user\n", outputs="API_BASE=http://outputs\n")

    assert read_settings(root, {"API_BASE": "http://environment"})["API_BASE"] == "http://environment"


@pytest.mark.parametrize("user", ["SRC_BUCKET=mine\n", "ZIP_SOURCE_BUCKET=mine\n"])
def test_users_file_wins_over_outputs_that_the_shell_has_sourced(tmp_path: Path, user: str) -> None:
    outputs = {"ZIP_SOURCE_BUCKET": "generated", "API_BASE": "http://outputs", "CLICKHOUSE_URL": ""}
    root = write(tmp_path, user + "CLICKHOUSE_URL=http://mine\n", format_variables(outputs | {SOURCED: "yes"}))

    settings = read_settings(root, outputs | {SOURCED: "yes", "API_BASE": "http://environment"})

    assert (settings["SRC_BUCKET"], settings["ZIP_SOURCE_BUCKET"]) == ("mine", "mine")
    assert settings["CLICKHOUSE_URL"] == "http://mine"
    assert settings["API_BASE"] == "http://environment"
    assert SOURCED not in settings


def test_empty_value_of_the_environment_is_the_users_unless_the_file_has_it(tmp_path: Path) -> None:
    root = write(tmp_path, "DST_PREFIX=mine/\n", format_variables({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}))

    settings = read_settings(root, {SOURCED: "yes", "DST_PREFIX": "", "AWS_ENDPOINT_URL": ""})

    assert (settings["DST_PREFIX"], settings["AWS_ENDPOINT_URL"]) == ("", "")


def test_offline_credentials_and_region_do_not_follow_to_another_address(tmp_path: Path) -> None:
    offline = collect_variables({"aws_endpoint_url": "http://127.0.0.1:1", "aws_region": "us-east-1"}, "")
    root = write(tmp_path, outputs=format_variables(offline))

    settings = read_settings(root, offline | {"AWS_ENDPOINT_URL": "", "AWS_REGION": "eu-west-1"})

    assert not settings.keys() & {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert settings["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_script_takes_back_what_the_shell_has_sourced_and_the_settings_lack(tmp_path: Path) -> None:
    offline = collect_variables({"aws_endpoint_url": "http://127.0.0.1:1", "aws_region": "us-east-1"}, "")
    root = write(tmp_path, "AWS_ENDPOINT_URL=https://s3.example.org\n", format_variables(offline))

    printed = subprocess.run(
        [sys.executable, "-m", "lib.common.settings", str(root)],
        cwd=ROOT / "scripts",
        env=offline,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "export AWS_ENDPOINT_URL=https://s3.example.org\n" in printed
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", SOURCED):
        assert f"unset {name}\n" in printed


@pytest.mark.parametrize("value", ["it's", "'", "a \"b\" 'c'", '{"a": "b"}', "# no comment", " a ", "\\", "$HOME `id`"])
def test_what_is_written_for_a_shell_is_read_back(tmp_path: Path, value: str) -> None:
    root = write(tmp_path, outputs=format_variables({"NAME": value}))

    assert read_env_file(root / ".local" / "outputs.env") == {"NAME": value}


def test_short_bucket_name_of_the_user_wins_over_the_output_under_its_long_name(tmp_path: Path) -> None:
    root = write(tmp_path, user="SRC_BUCKET=mine\n", outputs="ZIP_SOURCE_BUCKET=generated\n")

    settings = read_settings(root, {})

    assert (settings["SRC_BUCKET"], settings["ZIP_SOURCE_BUCKET"]) == ("mine", "mine")


def test_unfilled_line_of_the_users_file_hides_no_output(tmp_path: Path) -> None:
    root = write(tmp_path, user="API_BASE=\nSRC_BUCKET=''\n", outputs="API_BASE=http://o\nZIP_SOURCE_BUCKET=s\n")

    settings = read_settings(root, {})

    assert (settings["API_BASE"], settings["SRC_BUCKET"]) == ("http://o", "s")


def test_missing_files_are_no_error(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {"API_BASE": "http://environment"})["API_BASE"] == "http://environment"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=plain", "plain"),
        ("export NAME=exported", "exported"),
        ("NAME = spaced ", "spaced"),
        ("NAME='single $HOME'", "single $HOME"),
        ('NAME="double \\"quoted\\""', 'double "quoted"'),
        ("NAME=value # comment", "value"),
        ("NAME=http://host/#fragment", "http://host/#fragment"),
        ('NAME="a b" # comment', "a b"),
    ],
)
def test_forms_of_a_line(tmp_path: Path, line: str, value: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# heading\n\n{line}\n")

    assert read_env_file(file) == {"NAME": value}


def test_line_that_is_no_pair_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("GOOD=1\nbad line\n")

    with pytest.raises(SettingsError, match=r"\.env:2"):
        read_env_file(file)


@pytest.mark.parametrize(
    ("address", "auth"),
    [
        ("https://abc123.execute-api.eu-west-1.amazonaws.com", "AWS_IAM"),
        ("http://127.0.0.1:4566/_aws/execute-api/abc123", "NONE"),
        ("http://abc123.execute-api.localhost:4566", "NONE"),
        ("https://execute-api.eu-west-1.amazonaws.com.example.org", "NONE"),
    ],
)
def test_authentication_is_guessed_from_the_address(tmp_path: Path, address: str, auth: str) -> None:
    assert read_settings(tmp_path, {"API_BASE": address})["API_AUTH"] == auth


def test_given_authentication_is_not_guessed_over(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, {"API_BASE": "https://a.execute-api.us-east-1.amazonaws.com", "API_AUTH": "JWT"})

    assert settings["API_AUTH"] == "JWT"


def test_local_stack_gets_its_fixed_credentials(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})

    assert (settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"]) == ("test", "test")


@pytest.mark.parametrize(("name", "port"), [("SAMPLE_FILES_URL", 4601), ("CLICKHOUSE_URL", 4602)])
def test_local_stack_has_its_other_servers_on_the_next_ports(tmp_path: Path, name: str, port: int) -> None:
    local = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4600"}

    assert read_settings(tmp_path, local)[name] == f"http://127.0.0.1:{port}"
    assert read_settings(tmp_path, local | {name: "http://given.example"})[name] == "http://given.example"
    assert name not in read_settings(tmp_path, {"AWS_ENDPOINT_URL": ""})


def test_aws_gets_no_made_up_credentials(tmp_path: Path) -> None:
    assert "AWS_ACCESS_KEY_ID" not in read_settings(tmp_path, {"API_BASE": "https://api.example.org"})


def test_shell_gets_values_with_quotes_spaces_and_dollars_unchanged(tmp_path: Path) -> None:
    root = write(tmp_path, outputs='ODD="it\'s $HOME `date` and more"\n')
    printed = subprocess.run(
        [sys.executable, "-m", "lib.common.settings", str(root)],
        cwd=ROOT / "scripts",
        env={},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    shell = subprocess.run(["bash", "-c", f'{printed}\nprintf %s "$ODD"'], capture_output=True, text=True, check=True)

    assert shell.stdout == "it's $HOME `date` and more"
