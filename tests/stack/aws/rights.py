"""What policies allow (IAM user guide, "Policy evaluation logic"): a Deny wins, what nothing allows is denied.

Only what this stack's policies contain is understood: wildcards in actions and resources, and the conditions
StringEquals, StringLike, ArnEquals, ArnLike and ForAllValues:StringEquals. Anything else is an error rather than a
guess.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ALL_EQUAL = "ForAllValues:StringEquals"
CONDITIONS = frozenset({"StringEquals", "StringLike", "ArnEquals", "ArnLike", ALL_EQUAL})


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for a right; `context` has condition keys in lower case, the values of one key on a line each."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)
    principal: str = ""
    """The service or the role that asks, where a resource's own policy is asked."""


def allowed(statements: Iterable[Mapping[str, Any]], ask: Ask) -> bool:
    """Tell whether a statement allows it and none denies it.

    Raises:
        ValueError: a statement has something that is not understood.
    """
    effects = {statement["Effect"] for statement in statements if applies(statement, ask)}
    return effects == {"Allow"}


def applies(statement: Mapping[str, Any], ask: Ask) -> bool:
    """Tell whether a statement speaks about this request.

    Raises:
        ValueError: it has something that is not understood.
    """
    unknown = set(statement) & {"NotAction", "NotResource", "NotPrincipal"}
    if unknown:
        raise ValueError(f"{sorted(unknown)} is not understood")
    principals = [one for named in statement.get("Principal", {}).values() for one in listed(named)]
    return (
        (not principals or ask.principal in principals)
        and matches(ask.action.lower(), (one.lower() for one in listed(statement["Action"])))
        and matches(ask.resource, listed(statement["Resource"]))
        and all(_holds(operator, tests, ask.context) for operator, tests in statement.get("Condition", {}).items())
    )


def listed(one_or_many: Any) -> list[str]:  # noqa: ANN401 - JSON has either
    """Return what a policy spells as a string or as a list."""
    if one_or_many is None:
        return []
    return [one_or_many] if isinstance(one_or_many, str) else list(one_or_many)


def matches(text: str, patterns: Iterable[str]) -> bool:
    """Tell whether one of the patterns, with `*` and `?`, covers the text."""
    return any(re.fullmatch("".join(_parts(pattern)), text, re.DOTALL) for pattern in patterns)


def _parts(pattern: str) -> Iterator[str]:
    wild = {"*": ".*", "?": "."}
    return (wild.get(letter) or re.escape(letter) for letter in pattern)


def _holds(operator: str, tests: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    if operator not in CONDITIONS:
        raise ValueError(f"the condition {operator} is not understood")
    exact = operator == "StringEquals"
    if operator == ALL_EQUAL:
        asked = {key: context.get(key.lower(), "").splitlines() for key in tests}
        return all(set(asked[key]) <= set(listed(wanted)) for key, wanted in tests.items())
    for key, wanted in tests.items():
        found = context.get(key.lower())
        if found is None:
            return False
        if not (found in listed(wanted) if exact else matches(found, listed(wanted))):
            return False
    return True
