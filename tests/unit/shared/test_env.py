import pytest

from zip_enqueue.env import Environment, SettingsError
from zip_enqueue.settings import Settings as EnqueueSettings
from zip_status.settings import Settings as StatusSettings


def test_values_are_read_and_trimmed() -> None:
    env = Environment({"TEXT": " a ", "NAMES": "a, b,,c ", "NUMBER": "7"})
    assert env.text("TEXT") == "a"
    assert env.names("NAMES") == ("a", "b", "c")
    assert env.integer("NUMBER", 1, 0, 9) == 7
    env.check()


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_default_stands_in_for_an_empty_value(value: str | None) -> None:
    env = Environment({} if value is None else {"NUMBER": value, "TEXT": value})
    assert env.integer("NUMBER", 5, 0, 9) == 5
    assert env.text("TEXT", "b") == "b"
    env.check()


@pytest.mark.parametrize("number", [0, 9])
def test_the_bounds_are_included(number: int) -> None:
    env = Environment({"NUMBER": str(number)})
    assert env.integer("NUMBER", 5, 0, 9) == number
    env.check()


def test_every_problem_is_told_at_once() -> None:
    env = Environment({"NAMES": " , ", "WORD": "many", "HIGH": "10", "LOW": "-1"})
    env.text("ABSENT")
    env.names("NAMES")
    env.names("NO_NAMES")
    for name in ("WORD", "HIGH", "LOW"):
        env.integer(name, 5, 0, 9)
    with pytest.raises(SettingsError) as problem:
        env.check()
    told = [part.split()[0] for part in str(problem.value).split("; ")]
    assert told == ["ABSENT", "NAMES", "NO_NAMES", "WORD", "HIGH", "LOW"]


def test_a_function_without_settings_names_what_it_needs() -> None:
    with pytest.raises(ValueError, match=r"^TABLE_NAME .*; QUEUE_URL .*; SOURCE_BUCKETS .*; TARGET_BUCKETS"):
        EnqueueSettings.from_environment({})
    with pytest.raises(ValueError, match=r"^TABLE_NAME is not set; MAX_RECEIVES is 0"):
        StatusSettings.from_environment({"MAX_RECEIVES": "0"})


@pytest.mark.parametrize(
    ("value", "state"), [(None, False), ("", False), (" ", False), ("false", False), ("true", True), (" TRUE ", True)]
)
def test_switch_is_off_unless_it_says_true(value: str | None, state: bool) -> None:
    env = Environment({} if value is None else {"SWITCH": value})
    assert env.flag("SWITCH") is state
    env.check()


@pytest.mark.parametrize("value", ["1", "yes", "on", "truee", "0"])
def test_switch_that_says_anything_else_is_off_and_told(value: str) -> None:
    env = Environment({"SWITCH": value})
    assert env.flag("SWITCH") is False
    with pytest.raises(SettingsError, match=f"^SWITCH is '{value}', not true or false$"):
        env.check()


def test_problem_of_the_caller_is_told_among_the_others() -> None:
    env = Environment({"LOW": "-1"})
    env.integer("LOW", 5, 0, 9)
    env.reject("MAP", "is not JSON")
    env.text("ABSENT")
    with pytest.raises(SettingsError, match=r"^LOW is .*; MAP is not JSON; ABSENT is not set$"):
        env.check()
