"""The caller of an HTTP API: the owner of its jobs, and the identity that decides which jobs and keys it may use.

One source file, linked into each Lambda package that uses it, so that every zip carries its own copy.

Sources: API Gateway's payload format 2.0 for ``requestContext.authorizer``; the IAM User Guide for the forms of a
principal's ARN and ``aws:userid``.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

SHARED_OWNER = "anonymous"
"""The owner of all jobs of an API without authorization."""
AUTHORIZATIONS = ("AWS_IAM", "JWT", "NONE")
_MAX_OWNER_BYTES = 1024
"""Half of DynamoDB's limit for a partition key; longer identities are rejected."""
_ARN = re.compile(r"arn:([a-z0-9-]+):(iam|sts)::([0-9]{12}):(.+)", re.DOTALL)
_PRINCIPAL = re.compile(r"arn:[a-z0-9-]+:iam::[0-9]{12}:(?:role|user)/[^/]+", re.DOTALL)
_SPACED_CLAIMS = {"scope", "scp"}
"""Claims whose text is a space-separated list (RFC 8693)."""


class CallerUnknownError(Exception):
    """The API accepted the request, but its identity is missing or cannot own a job."""


@dataclass(frozen=True)
class Caller:
    """A caller, as the API's authorizer reports it."""

    owner: str
    """The owner of the caller's jobs; the same for all sessions of one role."""
    principal_arn: str = ""
    """ARN of an IAM role or user, without its path; empty for others."""
    is_own_account: bool = False
    """Whether the IAM principal belongs to the API's account."""
    claims: Mapping[str, object] = field(default_factory=dict)
    """Claims of a token."""

    @property
    def is_shared(self) -> bool:
        """Whether the API has no authorization, so that all its callers are one owner."""
        return self.owner == SHARED_OWNER

    def list_claim(self, name: str) -> frozenset[str]:
        """Return the values of a claim: its text, or the elements of its list."""
        return frozenset(_list_values(name, self.claims.get(name)))

    def is_one_of(self, arns: Collection[str], claims: Mapping[str, Collection[str]]) -> bool:
        """Return whether the caller is one of the IAM principals, or has one of a claim's values."""
        is_principal = bool(self.principal_arn) and self.principal_arn in {normalize_arn(arn) for arn in arns}
        return is_principal or any(not self.list_claim(name).isdisjoint(values) for name, values in claims.items())


def read_caller(event: Mapping[str, Any], authorization: str) -> Caller:
    """Return the caller of the request.

    Args:
        event: the event, payload format 2.0.
        authorization: of the API: ``AWS_IAM``, ``JWT`` or ``NONE``. With ``NONE``, an identity in the event counts if
            there is one, so that an authorizer in front of the API suffices.

    Raises:
        CallerUnknownError: the identity is missing, or cannot own a job.
    """
    context = _as_object(event.get("requestContext"))
    authorizer = _as_object(context.get("authorizer"))
    iam, jwt = _as_object(authorizer.get("iam")), _as_object(authorizer.get("jwt"))
    if authorization == "AWS_IAM" or (authorization == "NONE" and iam):
        return _check_length(_read_principal(iam, str(context.get("accountId", ""))))
    if authorization == "JWT" or (authorization == "NONE" and jwt):
        return _check_length(_read_token(_as_object(jwt.get("claims"))))
    return Caller(SHARED_OWNER)


def normalize_arn(arn: str) -> str:
    """Return the ARN of a role or user without its path, the role's for a session; other ARNs unchanged.

    Names are unique in an account regardless of their path, and a session's ARN has no path.
    """
    match = _ARN.fullmatch(arn)
    if not match:
        return arn
    partition, service, account, resource = match.groups()
    kind, *path = resource.split("/")
    if kind == "assumed-role" and service == "sts" and len(path) > 1 and path[-2]:
        return f"arn:{partition}:iam::{account}:role/{path[-2]}"
    if kind in {"role", "user"} and service == "iam" and path and path[-1]:
        return f"arn:{partition}:iam::{account}:{kind}/{path[-1]}"
    return arn


def _read_principal(iam: Mapping[str, Any], account: str) -> Caller:
    arn = iam.get("userArn")
    match = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    if not match or not isinstance(arn, str):
        raise CallerUnknownError("the request has no ARN of an IAM identity")
    # All identities of a Cognito identity pool share one role; only the identity's id distinguishes them.
    cognito = _as_object(iam.get("cognitoIdentity")).get("identityId")
    if cognito is not None:
        if not isinstance(cognito, str) or not cognito.strip():
            raise CallerUnknownError("the request's Cognito identity has no id")
        return Caller(f"cognito:{cognito}")
    kind = match[4].partition("/")[0]
    principal = normalize_arn(arn)
    if _PRINCIPAL.fullmatch(principal):
        return Caller(principal, principal, is_own_account=match[3] == account)
    if match[4] == "root" or (kind == "federated-user" and len(match[4]) > len("federated-user/")):
        return Caller(arn, arn, is_own_account=match[3] == account)
    raise CallerUnknownError("the request's IAM identity is neither a role, a user, a federated user nor the root")


def _read_token(claims: Mapping[str, Any]) -> Caller:
    for name in ("sub", "client_id"):
        value = claims.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not value.strip():
            raise CallerUnknownError(f"the token's claim {name} is not a text")
        issuer = claims.get("iss")
        return Caller(f"{name}:{issuer if isinstance(issuer, str) else ''}#{value}", claims=claims)
    raise CallerUnknownError("the token has neither the claim sub nor client_id")


def _check_length(caller: Caller) -> Caller:
    try:
        size = len(caller.owner.encode())
    except UnicodeEncodeError:
        raise CallerUnknownError("the caller's identity is not Unicode text") from None
    if size > _MAX_OWNER_BYTES:
        raise CallerUnknownError(f"the caller's identity is longer than {_MAX_OWNER_BYTES} bytes")
    return caller


def _list_values(name: str, value: object) -> list[str]:
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    if not isinstance(value, str):
        return []
    if name in _SPACED_CLAIMS and not value.startswith("["):
        return value.split()
    if value.startswith("[") and value.endswith("]"):
        return _list_bracketed(value)
    return [value]


def _list_bracketed(text: str) -> list[str]:
    """Return the elements of a list in API Gateway's notation, ``[a b]``, or in JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        inner = text[1:-1].strip()
        return [inner, *re.split(r"[\s,]+", inner)]
    return [one for one in found if isinstance(one, str)]


def _as_object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
