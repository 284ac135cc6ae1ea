"""The rights a function's role has, compared with those it used: nothing missing, nothing extra.

A right is a statement's action on a statement's resource. Each action of a statement must have been used on one of its
resources, and each of its resources by one of its actions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tests.stack.aws.rights import listed, matches
from tests.stack.aws.under_moto import function, role_statements
from tests.stack.aws.witness import Use
from tests.stack.deployment import SCOPE, Deployment

FUNCTIONS = ("tick", "work", "native")
OPTIONAL = {"AskConsumers", "RedeployConsumers", "Sign", "Witness"}
"""The statements that a stack has if it has consumers and signs its audit trail."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One function: the actions it used, and the differences in words."""

    function: str
    used: tuple[str, ...]
    differences: tuple[str, ...]


def compare(stack: Deployment) -> Iterator[Comparison]:
    """Compare every function of the stack."""
    return _compared(stack, lambda _: True)


def compare_optional(stack: Deployment) -> Iterator[Comparison]:
    """Compare what is missing, and whether anything is extra in the optional rights: the others are in `compare`.

    Raises AssertionError if there are none.
    """
    found: set[str] = set()

    def is_theirs(statement: Mapping[str, Any]) -> bool:
        is_one = statement["Sid"] in OPTIONAL
        found.update({statement["Sid"]} if is_one else ())
        return is_one

    yield from _compared(stack, is_theirs)
    assert found == OPTIONAL


def _compared(stack: Deployment, is_judged: Callable[[Mapping[str, Any]], bool]) -> Iterator[Comparison]:
    for short in FUNCTIONS:
        name = stack.function(short)
        uses = [use for use in stack.aws.witness.uses if use.function == name]
        statements = role_statements(SCOPE, function(SCOPE, name).role_arn)
        differences = chain(
            (f"missing: {use.action} on {use.resource}" for use in uses if not use.granted),
            *(unused(statement, uses) for statement in statements if is_judged(statement)),
        )
        used = tuple(sorted({use.action for use in uses if use.granted}))
        yield Comparison(short, used, tuple(differences))


def unused(statement: Mapping[str, Any], uses: Sequence[Use]) -> Iterator[str]:
    """Yield the actions and resources of a statement that no granted use needed."""
    actions, resources = listed(statement["Action"]), listed(statement["Resource"])
    hits = [use for use in uses if use.granted and matches(use.action, actions) and matches(use.resource, resources)]
    for action in actions:
        if not any(matches(use.action, [action]) for use in hits):
            yield f"never used: {action} of {statement['Sid']}"
    for resource in resources:
        if not any(matches(use.resource, [resource]) for use in hits):
            yield f"never used: {resource} of {statement['Sid']}"
