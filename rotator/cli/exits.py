"""Exit codes: the only place that turns an outcome or an error into a number."""

from collections.abc import Iterable
from enum import IntEnum
from typing import assert_never

from rotator.model.errors import Remedy, RotatorError
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.secret import Demand


class Exit(IntEnum):
    """What the process tells cron."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PERSON = 3
    AUDIT = 4


_GRAVEST_FIRST = (Exit.AUDIT, Exit.USAGE, Exit.PERSON, Exit.FAILED, Exit.OK)
_OF_REMEDY = {
    Remedy.NEXT_RUN: Exit.FAILED,
    Remedy.PERSON: Exit.PERSON,
    Remedy.CONFIG: Exit.USAGE,
    Remedy.AUDIT: Exit.AUDIT,
}


def exit_code_of(error: RotatorError) -> Exit:
    """Return the exit code that says who must act."""
    return _OF_REMEDY[error.remedy]


def exit_code(outcome: Outcome, demand: Demand) -> Exit:
    """Return the exit code of one secret's outcome.

    A rotation that a person asked for and that was put off is theirs to repeat.
    """
    if outcome.error is not None:
        return exit_code_of(outcome.error)
    match outcome.kind:
        case OutcomeKind.ROTATED | OutcomeKind.UP_TO_DATE:
            return Exit.OK
        case OutcomeKind.WAITING if outcome.back_off is not None:
            return Exit.FAILED
        case OutcomeKind.WAITING:
            return Exit.OK if demand is Demand.DUE else Exit.PERSON
        case OutcomeKind.HELD:
            return Exit.PERSON
        case OutcomeKind.FAILED:
            return Exit.FAILED
        case _:
            assert_never(outcome.kind)


def gravest(codes: Iterable[Exit]) -> Exit:
    """Return the exit code of many secrets."""
    return min(codes, key=_GRAVEST_FIRST.index, default=Exit.OK)
