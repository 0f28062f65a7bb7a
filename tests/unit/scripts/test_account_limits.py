"""The check of the account's limits against an environment."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from account_limits import check_account, main, read_declared


class Functions:
    def __init__(self, has: int, unreserved: int) -> None:
        self.limit = {"ConcurrentExecutions": has, "UnreservedConcurrentExecutions": unreserved}

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": self.limit}


class Forbidden:
    def get_account_settings(self) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetAccountSettings")


def test_environments_count_on_a_new_account_unless_they_say_otherwise() -> None:
    assert read_declared("dev") == 10
    assert read_declared("prod") == 1000


@pytest.mark.parametrize(
    ("environment", "has", "unreserved", "ok"),
    [
        ("dev", 10, 10, True),
        ("dev", 1000, 1000, True),
        ("dev", 1000, 5, False),
        ("prod", 10, 10, False),
        ("prod", 1000, 1000, True),
    ],
)
def test_account_is_compared_with_what_is_counted_on(environment: str, has: int, unreserved: int, ok: bool) -> None:
    functions: Any = Functions(has, unreserved)
    finding = check_account(environment, functions)
    assert finding.ok is ok
    assert str(unreserved) in finding.text
    assert ("L-B99A9384" in finding.text) is not ok


def test_not_being_allowed_to_ask_is_no_failure() -> None:
    functions: Any = Forbidden()
    finding = check_account("dev", functions)
    assert finding.ok
    assert "not known" in finding.text


def test_environment_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere"]) == 2
    assert "infra/envs/nowhere.tfvars" in capsys.readouterr().err
