import subprocess
import sys
from pathlib import Path

import pytest

from lib.settings import SettingsError, read_env_file, read_settings
from tests.unit.scripts.conftest import ROOT


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
        [sys.executable, "-m", "lib.settings", str(root)],
        cwd=ROOT / "scripts",
        env={},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    shell = subprocess.run(["bash", "-c", f'{printed}\nprintf %s "$ODD"'], capture_output=True, text=True, check=True)

    assert shell.stdout == "it's $HOME `date` and more"
