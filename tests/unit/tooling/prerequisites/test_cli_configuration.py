"""Reading the user's CLI configuration of Terraform, and adding to it."""

import stat
from pathlib import Path

import pytest

from prerequisites.cli_configuration import (
    ConfigurationError,
    Method,
    find_user_configuration,
    format_configuration,
    read_methods,
    write_whole,
)

ADDRESS = "registry.terraform.io/hashicorp/aws"
WHOLE = """
# a comment { with a brace
plugin_cache_dir = "$HOME/.cache/terraform" // another
credentials "app.terraform.io" {
  token = "secret"
}
/* provider_installation { direct {} } */
provider_installation {
  dev_overrides {
    "hashicorp/random" = "/src/random"
  }
  filesystem_mirror {
    path    = "/usr/share/a \\"quoted\\" folder"
    include = ["registry.terraform.io/*/*", "hashicorp/null"]
  }
  network_mirror {
    url = "https://mirror.example.com/"
  }
  direct { exclude = ["registry.terraform.io/*/*"] }
}
"""


def test_methods_are_read_in_order() -> None:
    assert read_methods(WHOLE) == [
        Method("dev_overrides", {"hashicorp/random": "/src/random"}),
        Method(
            "filesystem_mirror",
            {"path": '/usr/share/a "quoted" folder', "include": ["registry.terraform.io/*/*", "hashicorp/null"]},
        ),
        Method("network_mirror", {"url": "https://mirror.example.com/"}),
        Method("direct", {"exclude": ["registry.terraform.io/*/*"]}),
    ]


@pytest.mark.parametrize("text", ["", "disable_checkpoint = true\n", 'credentials "a.b" {\n  token = "x"\n}\n'])
def test_configuration_may_say_nothing_of_providers(text: str) -> None:
    assert read_methods(text) == []


@pytest.mark.parametrize(
    "text",
    ["provider_installation {", "}", "a = [1", '"', "provider_installation = 1", "a = = b", "a {{}", "a = <<E\n?"],
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        read_methods(text)


@pytest.mark.parametrize(
    ("settings", "covered"),
    [
        ({}, True),
        ({"include": ["registry.terraform.io/hashicorp/*"]}, True),
        ({"include": ["hashicorp/aws"]}, True),
        ({"include": ["*/*"]}, True),
        ({"include": ["example.com/*/*"]}, False),
        ({"include": []}, False),
        ({"exclude": ["hashicorp/*"]}, False),
        ({"include": ["*/*/*"], "exclude": ["registry.terraform.io/hashicorp/aws"]}, False),
        ({"exclude": ["hashicorp/random"]}, True),
    ],
)
def test_method_covers_what_its_patterns_say(settings: dict[str, list[str]], covered: bool) -> None:
    assert Method("direct", settings).covers(ADDRESS) is covered


def test_variable_wins_over_the_home(tmp_path: Path) -> None:
    mine, home = tmp_path / "mine.tfrc", tmp_path / "home"
    home.mkdir()
    mine.write_text("provider_installation {\n  direct {}\n}\n")
    (home / ".terraformrc").write_text("")
    found = find_user_configuration({"TF_CLI_CONFIG_FILE": str(mine)}, home, tofu=False)
    assert (found.files, found.methods, found.notices) == ((mine,), (Method("direct", {}),), ())


def test_variable_that_names_a_missing_file_counts_as_unset(tmp_path: Path) -> None:
    (tmp_path / ".terraformrc").write_text("")
    found = find_user_configuration({"TF_CLI_CONFIG_FILE": "/nonexistent"}, tmp_path, tofu=False)
    assert found.files == (tmp_path / ".terraformrc",)
    assert found.notices == ("TF_CLI_CONFIG_FILE names /nonexistent, which does not exist: it is ignored",)


def test_variable_that_names_a_folder_counts_as_unset(tmp_path: Path) -> None:
    assert find_user_configuration({"TF_CLI_CONFIG_FILE": str(tmp_path)}, tmp_path, tofu=False).files == ()


def test_home_has_several_files_and_opentofu_its_own(tmp_path: Path) -> None:
    (tmp_path / ".terraform.d").mkdir()
    for name in (".terraformrc", ".tofurc", ".terraform.d/more.tfrc"):
        (tmp_path / name).write_text("")
    more = tmp_path / ".terraform.d/more.tfrc"
    assert find_user_configuration({}, tmp_path, tofu=False).files == (tmp_path / ".terraformrc", more)
    assert find_user_configuration({}, tmp_path, tofu=True).files == (tmp_path / ".tofurc", more)


def test_configuration_that_is_not_understood_is_told_from_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / ".terraformrc").write_text("provider_installation {")
    assert find_user_configuration({}, tmp_path, tofu=False).methods is None


def test_written_configuration_keeps_the_users_and_adds_the_mirror() -> None:
    kept = 'credentials "app.terraform.io" {\n  token = "secret"\n}\n'
    written = format_configuration(kept, ADDRESS, Path('/a "b"/c'))
    assert kept in written
    assert read_methods(written) == [
        Method("filesystem_mirror", {"path": '/a "b"/c', "include": [ADDRESS]}),
        Method("direct", {"exclude": [ADDRESS]}),
    ]
    assert read_methods(format_configuration("", ADDRESS, None)) == [Method("direct", {})]


def test_written_configuration_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new/cli.tfrc"
    write_whole(path, "one")
    write_whole(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["cli.tfrc"]
