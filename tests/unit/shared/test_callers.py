from typing import Any

import pytest

from zip_enqueue.callers import SHARED_OWNER, Caller, CallerUnknownError, normalize_arn, read_caller

ACCOUNT = "123456789012"


def iam(arn: object, **more: object) -> dict[str, Any]:
    return {"requestContext": {"accountId": ACCOUNT, "authorizer": {"iam": {"userArn": arn, **more}}}}


def jwt(**claims: object) -> dict[str, Any]:
    return {"requestContext": {"authorizer": {"jwt": {"claims": claims, "scopes": None}}}}


def test_all_sessions_of_a_role_are_one_owner() -> None:
    sessions = [f"arn:aws:sts::{ACCOUNT}:assumed-role/Reports/{name}" for name in ("ann", "bob@example.com", "i-1")]
    owners = {read_caller(iam(arn, userId=f"AROA:{arn}"), "AWS_IAM").owner for arn in sessions}
    assert owners == {f"arn:aws:iam::{ACCOUNT}:role/Reports"}


@pytest.mark.parametrize(
    ("arn", "owner"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/alice", f"arn:aws:iam::{ACCOUNT}:user/alice"),
        (f"arn:aws:iam::{ACCOUNT}:user/division/team/alice", f"arn:aws:iam::{ACCOUNT}:user/alice"),
        (f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/R/s", f"arn:aws-cn:iam::{ACCOUNT}:role/R"),
        (f"arn:aws-us-gov:sts::{ACCOUNT}:assumed-role/R/s", f"arn:aws-us-gov:iam::{ACCOUNT}:role/R"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/some/path/R/s", f"arn:aws:iam::{ACCOUNT}:role/R"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/Bob", f"arn:aws:sts::{ACCOUNT}:federated-user/Bob"),
        (f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:root"),
    ],
)
def test_each_kind_of_iam_identity_has_an_owner(arn: str, owner: str) -> None:
    assert read_caller(iam(arn), "AWS_IAM").owner == owner


def test_identities_of_a_cognito_pool_share_a_role_and_no_jobs() -> None:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/AppUsers/CognitoIdentityCredentials"
    owners = [
        read_caller(iam(arn, cognitoIdentity={"identityId": f"eu-west-1:{one}"}), "AWS_IAM").owner for one in "ab"
    ]
    assert owners == ["cognito:eu-west-1:a", "cognito:eu-west-1:b"]
    assert read_caller(iam(arn, cognitoIdentity=None), "AWS_IAM").owner.endswith(":role/AppUsers")


@pytest.mark.parametrize(
    "arn",
    [
        None,
        "",
        7,
        ["arn"],
        "alice",
        "arn:aws:iam::123:user/alice",
        f"arn:aws:iam::{ACCOUNT}:user/",
        f"arn:aws:iam::{ACCOUNT}:group/all",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/OnlyRole",
        f"arn:aws:sts::{ACCOUNT}:assumed-role//session",
        f"arn:aws:sts::{ACCOUNT}:federated-user/",
        f"arn:aws:iam::{ACCOUNT}:user/{'a' * 1024}",
    ],
)
def test_an_unclear_iam_identity_is_refused(arn: object) -> None:
    with pytest.raises(CallerUnknownError):
        read_caller(iam(arn), "AWS_IAM")


@pytest.mark.parametrize(
    ("claims", "owner"),
    [
        ({"sub": "user-1", "iss": "https://i/"}, "sub:https://i/#user-1"),
        ({"sub": "user-1", "client_id": "app", "iss": "https://i/"}, "sub:https://i/#user-1"),
        ({"client_id": "app", "iss": "https://i/"}, "client_id:https://i/#app"),
    ],
)
def test_a_token_has_its_subject_or_its_client_for_owner(claims: dict[str, str], owner: str) -> None:
    assert read_caller(jwt(**claims), "JWT").owner == owner


def test_a_user_who_is_named_like_a_client_is_another_owner() -> None:
    assert read_caller(jwt(sub="x"), "JWT").owner != read_caller(jwt(client_id="x"), "JWT").owner


def test_a_user_who_is_named_like_the_shared_owner_is_another_owner() -> None:
    assert not read_caller(jwt(sub=SHARED_OWNER), "JWT").is_shared


@pytest.mark.parametrize(
    "claims",
    [{}, {"sub": None}, {"sub": ""}, {"sub": "  "}, {"sub": 5}, {"sub": ["a"]}, {"sub": {}}, {"sub": True}],
)
def test_a_token_without_a_subject_is_refused(claims: dict[str, object]) -> None:
    with pytest.raises(CallerUnknownError):
        read_caller(jwt(**claims), "JWT")


@pytest.mark.parametrize("claims", [{"sub": "", "client_id": "app"}, {"sub": 1, "client_id": "app"}])
def test_an_odd_subject_does_not_fall_back_to_the_client_that_all_users_share(claims: dict[str, object]) -> None:
    with pytest.raises(CallerUnknownError, match="sub"):
        read_caller(jwt(**claims), "JWT")


def test_a_subject_that_is_too_long_or_no_unicode_is_refused() -> None:
    for sub in ("x" * 1025, "\ud800"):
        with pytest.raises(CallerUnknownError):
            read_caller(jwt(sub=sub), "JWT")


@pytest.mark.parametrize("authorization", ["AWS_IAM", "JWT"])
@pytest.mark.parametrize(
    "event",
    [{}, {"requestContext": None}, {"requestContext": {"authorizer": None}}, {"requestContext": {"authorizer": []}}],
)
def test_an_api_with_authorization_does_not_answer_nobody(event: dict[str, Any], authorization: str) -> None:
    with pytest.raises(CallerUnknownError):
        read_caller(event, authorization)


def test_one_kind_of_authorization_does_not_pass_for_the_other() -> None:
    with pytest.raises(CallerUnknownError):
        read_caller(jwt(sub="a"), "AWS_IAM")
    with pytest.raises(CallerUnknownError):
        read_caller(iam(f"arn:aws:iam::{ACCOUNT}:root"), "JWT")


def test_without_authorization_all_callers_are_one() -> None:
    assert read_caller({}, "NONE") == Caller(SHARED_OWNER)
    assert read_caller({}, "NONE").is_shared


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("admins", {"admins"}),
        ("[admins users]", {"admins", "users", "admins users"}),
        ('["Zip Admins", "users"]', {"Zip Admins", "users"}),
        (["admins", 1, None], {"admins"}),
        ("[]", {""}),
        (None, set()),
        (7, set()),
        (True, set()),
        ({"admins": 1}, set()),
        ("[" * 100_000 + "]", None),
    ],
)
def test_a_claim_is_read_in_every_form_that_gateways_give_it(value: object, found: set[str] | None) -> None:
    values = read_caller(jwt(sub="a", groups=value), "JWT").list_claim("groups")
    if found is not None:
        assert values - {""} == found - {""}


def test_scopes_are_separated_by_spaces_and_other_texts_are_not() -> None:
    caller = read_caller(jwt(sub="a", scope="zip/read zip/operate", title="zip operators"), "JWT")
    assert caller.list_claim("scope") == {"zip/read", "zip/operate"}
    assert caller.list_claim("title") == {"zip operators"}


def test_membership_is_by_principal_or_by_claim() -> None:
    role = read_caller(iam(f"arn:aws:sts::{ACCOUNT}:assumed-role/Ops/s"), "AWS_IAM")
    assert role.is_one_of([f"arn:aws:iam::{ACCOUNT}:role/with/path/Ops"], {})
    assert not role.is_one_of([f"arn:aws:iam::{ACCOUNT}:user/Ops"], {"groups": ["Ops"]})
    user = read_caller(jwt(sub="a", groups="[ops all]"), "JWT")
    assert user.is_one_of([], {"groups": ["ops"]})
    assert not user.is_one_of([""], {"groups": ["op"], "absent": ["ops"]})
    assert not read_caller({}, "NONE").is_one_of([""], {"groups": [""]})


def test_other_arns_are_left_as_they_are() -> None:
    for arn in ("", "x", "arn:aws:s3:::bucket", f"arn:aws:iam::{ACCOUNT}:root"):
        assert normalize_arn(arn) == arn
