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
    """Everything is as desired: rotated, up to date, or waiting for a time that is known.

    Next: the next run looks again.
    You: nothing.
    """
    FAILED = 1
    """Something failed that may go away by itself, the command was interrupted, or its output could not be written.

    `audit verify` and `report` also end with it if a run was cut short or there is nothing to verify, `status` if a
    secret is failing or an old key is overdue.

    Next: the next run tries again and finishes what remains.
    You: nothing, unless it repeats; then see `rotator status`.
    """
    USAGE = 2
    """The arguments, the configuration or the environment cannot be used.

    Next: nothing; no run starts until they are corrected.
    You: correct what the message names, then run `rotator config check`.
    """
    PERSON = 3
    """A person must act.

    Examples are a hold, a hand edit, a roll-back, too many keys, a replica that does not follow, a refused managing
    key, a revoked key that still works, a `rotate` inside the grace, and a defect of rotator itself.

    Next: the secrets named stay as they are, and each run reports them; all other secrets are rotated.
    You: follow the next step in the message, or see `rotator status`.
    """
    AUDIT = 4
    """The audit trail cannot be written. The message says what the run had done by then; it did nothing after that.

    Next: nothing is made, promoted or revoked until the trail can be written.
    You: make the place that `[audit]` names writable and give it space, then run `rotator run`.
    """


_GRAVEST_FIRST = (Exit.AUDIT, Exit.USAGE, Exit.PERSON, Exit.FAILED, Exit.OK)
_OF_REMEDY = {
    Remedy.NEXT_RUN: Exit.FAILED,
    Remedy.PERSON: Exit.PERSON,
    Remedy.CONFIG: Exit.USAGE,
    Remedy.AUDIT: Exit.AUDIT,
}


def exit_code_of(error: RotatorError | type[RotatorError]) -> Exit:
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
