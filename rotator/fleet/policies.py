"""Whom the resource policy of a secret lets read it, as far as that is too many.

Read as IAM does (user guide, JSON policy elements), and only for what a mistake looks like: everybody, or every
identity of an account or an organization. A condition that names less than that narrows it enough.
"""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase

_READ = "secretsmanager:getsecretvalue"
_BROAD = {"aws:principalaccount", "aws:principalorgid", "aws:principaltype", "aws:securetransport", "aws:sourceaccount"}
"""Conditions that many principals meet."""


def open_to(policy: str) -> str | None:
    """Return who may read the secret, if that is everybody or every identity of an account; None if fewer may.

    Raises ValueError if the policy is not the JSON of one.
    """
    document = json.loads(policy) if policy else {}
    if not isinstance(document, dict):
        raise ValueError("a policy is a JSON object")  # noqa: TRY004 - as json's own
    for statement in _listed(document.get("Statement", [])):
        if not isinstance(statement, dict) or statement.get("Effect") != "Allow" or not _allows_reading(statement):
            continue
        conditions = set(_condition_keys(statement.get("Condition", {})))
        if "*" in _principals(statement.get("Principal", {})) and conditions <= _BROAD:
            broad = sorted(conditions - {"aws:principaltype", "aws:securetransport"})
            return f"everybody who meets {', '.join(broad)}" if broad else "everybody, of every AWS account"
    return None


def _allows_reading(statement: dict[str, object]) -> bool:
    named = _listed(statement.get("Action", []))
    return any(isinstance(action, str) and fnmatchcase(_READ, action.lower()) for action in named)


def _principals(principal: object) -> Iterator[object]:
    yield from _listed(principal.get("AWS", []) if isinstance(principal, dict) else principal)


def _condition_keys(condition: object) -> Iterator[str]:
    for tests in condition.values() if isinstance(condition, dict) else ():
        yield from (key.lower() for key in tests) if isinstance(tests, dict) else ()


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
