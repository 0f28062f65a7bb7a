"""The rules that give a caller its key prefixes, as `ALLOWED_PREFIXES` states them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from .callers import Caller, normalize_arn
from .env import Environment

_VARIABLE = "ALLOWED_PREFIXES"
_FIELDS = {"claim", "tag", "values", "default"}


@dataclass(frozen=True)
class PrefixRules:
    """The mapping from a token's claim, or an IAM principal and its tag, to the caller's key prefixes."""

    claim: str
    tag: str
    values: Mapping[str, Sequence[str]]
    """Value of the claim or the tag, or ARN of a role or user, to prefixes; the prefix ``""`` stands for every key."""
    default: Sequence[str]
    """Prefixes of a caller who matches none of the values."""

    @classmethod
    def from_environment(cls, env: Environment) -> Self | None:
        """Read ``ALLOWED_PREFIXES``; ``None`` if every caller may use every key."""
        document = env.document(_VARIABLE)
        if not document:
            return None
        unknown = sorted(document.keys() - _FIELDS)
        values, default = document.get("values", {}), document.get("default", [])
        claim, tag = document.get("claim") or "", document.get("tag") or ""
        if unknown or not isinstance(claim, str) or not isinstance(tag, str):
            env.reject(_VARIABLE, "has claim and tag (texts), values and default, and nothing else")
        if not isinstance(values, dict) or not all(_is_list_of_texts(one) for one in [*values.values(), default]):
            env.reject(_VARIABLE, "maps values to lists of prefixes")
            return None
        return cls(claim, tag, {normalize_arn(value): tuple(found) for value, found in values.items()}, default)

    def choose(self, caller: Caller, read_tag: Callable[[str, str], str | None]) -> tuple[str, ...] | None:
        """Return the prefixes that ``caller`` may use, ``None`` for every key.

        ``read_tag`` returns the tag of a role or user of this account by its ARN and the tag's key.
        """
        values = set(caller.list_claim(self.claim)) if self.claim else set()
        if caller.principal_arn:
            values.add(caller.principal_arn)
        if self.tag and caller.is_own_account:
            tag = read_tag(caller.principal_arn, self.tag)
            values |= {tag} if tag is not None else set()
        known = sorted(values & self.values.keys())
        found = {prefix for value in known for prefix in self.values[value]} if known else set(self.default)
        return None if "" in found else tuple(sorted(found))


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
